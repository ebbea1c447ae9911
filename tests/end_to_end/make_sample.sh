#!/usr/bin/env bash
# test: quick sanitizers
# The drawn data set: same seed same bytes, COCO 2014's layout, captions that differ; wrong options are refused.
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"

draw() { run "$bin/make_sample" "$@"; }
a=$scratch/a b=$scratch/b

new_case "layout and counts"
draw --out "$a" --train 40 --val 5 --test 6
exits 0
for file in annotations/captions_train2014.json annotations/captions_val2014.json karpathy/coco_karpathy_train.json \
    karpathy/coco_karpathy_val.json karpathy/coco_karpathy_test.json karpathy/dataset_coco.json \
    karpathy/coco_gt/coco_karpathy_val_gt.json karpathy/coco_gt/coco_karpathy_test_gt.json; do
    [ -s "$a/$file" ] || fail "no $file"
done
is "$(find "$a/train2014" -name 'COCO_train2014_????????????.jpg' | wc -l)" 35 "pictures in train2014"
is "$(find "$a/val2014" -name 'COCO_val2014_????????????.jpg' | wc -l)" 16 "pictures in val2014"
is "$(grep -o '"image_id":"coco_' "$a/karpathy/coco_karpathy_train.json" | wc -l)" 200 "training captions"
is "$(grep -o '"split":"restval"' "$a/karpathy/dataset_coco.json" | wc -l)" 5 "restval pictures"

new_case "five different captions each, none with left or right"
# one caption a line, in file order: no line may equal another of its five
grep -o '"caption":"[^"]*"' "$a/karpathy/coco_karpathy_train.json" | awk '{print int((NR - 1) / 5), tolower($0)}' | sort | uniq -d >"$scratch/equal"
is "$(wc -l <"$scratch/equal")" 0 "equal captions of one picture"
! grep -rqwiE 'left|right' "$a/annotations" || fail "left or right is said"

new_case "the same seed gives the same bytes, another seed others"
draw --out "$b" --train 40 --val 5 --test 6 --threads 3
diff -rq "$a" "$b" >"$output" || fail "differences"
rm -r "$b"; draw --out "$b" --train 40 --val 5 --test 6 --seed 1 --seed 2 # the last counts
cmp -s "$a/karpathy/dataset_coco.json" "$b/karpathy/dataset_coco.json" && fail "the same captions"

new_case "wrong options"
draw; exits 64; says "--out"
draw --out "$a"; exits 64; says "not an empty folder"
draw --out "$scratch/c" --size 160; exits 64; says "'160'"
draw --out "$scratch/c" --size 160x20; exits 64; says "'160x20'"
draw --out "$scratch/c" --train 0; exits 64; says "--train"
draw --out "$scratch/c" --sed 1; exits 64; says "sed"
draw --out "$scratch/c" --size 128x128,160; exits 64; says "'160'"
leaves_nothing_like "$scratch/c"
draw --out /proc/nowhere; exits 74; says "/proc/nowhere"

new_case "standard output on a full disk"
for words in --help "--out $scratch/full --train 1 --val 1 --test 1"; do
    status=0
    # shellcheck disable=SC2086  # several words
    "$bin/make_sample" $words >/dev/full 2>"$output" || status=$?
    exits 74; says "to standard output: No space left on device"
done

summary
