#!/usr/bin/env bash
# coco_pack --skip-bad: pictures that cannot be used are left out, counted, named, and recorded in the file.
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"

pack="$bin/coco_pack"
sample=$scratch/sample out=$scratch/out.h5
"$bin/make_sample" --out "$sample" --train 40 --val 6 --test 6 --seed 5 >/dev/null || exit 70
fresh() { rm -rf "$scratch/coco" "$scratch"/out.h5*; cp -r "$sample" "$scratch/coco"; coco=$scratch/coco; }
pack_it() { run "$pack" --coco "$coco" --out "$out" "$@"; }
refused() { exits "$1"; leaves_nothing_like "$scratch/out.h5*"; }
train_picture() { find "$sample/train2014" -type f -printf '%f\n' | sort | sed -n "$1p"; }
digest() { sed -n 's/.*data digest \([0-9a-f]*\).*/\1/p' "$output"; }
id_of() { sed -E 's/.*_0*([0-9]+)\.jpg/\1/' <<<"$1"; }

new_case "nothing to leave out: the same bytes as without"
fresh; pack_it; exits 0; cp "$out" "$scratch/plain.h5"
pack_it --skip-bad --overwrite; exits 0; says_not "skip"
cmp -s "$out" "$scratch/plain.h5" || fail "the files differ"

new_case "each kind of unusable picture is left out with its captions, named and recorded"
fresh
cut=$(train_picture 2) text=$(train_picture 5) empty=$(train_picture 9) gone=$(train_picture 12)
truncate -s -400 "$coco/train2014/$cut"
echo "no picture" >"$coco/train2014/$text"
: >"$coco/train2014/$empty"
rm "$coco/train2014/$gone"
for encoding in raw jpeg; do
    pack_it --skip-bad --encoding $encoding --overwrite
    exits 0; says "1 image is missing or cannot be read"; says "3 images are damaged"
    says "left out with their 20 captions (--skip-bad)"
    says "train: 36 images, 180 captions"; says "val: 6 images, 30 captions"
    says "(skipped_images)"; says "(skipped_captions)"
    for name in "$cut" "$text" "$empty" "$gone"; do says "$coco/train2014/$name"; done
    left_out=$(digest)
    is "${#left_out}" 16 "length of the data digest"
    run "$pack" --info "$out"; exits 0; says "4 images that could not be used: left out (--skip-bad) (skipped_images)"
    says "20 captions of skipped images: left out (skipped_captions)"
    says "skipped image $(id_of "$gone"): train2014/$gone: no such file"
    says "skipped image $(id_of "$empty"): train2014/$empty: the file is empty"
    says "skipped image $(id_of "$cut"): train2014/$cut: not a readable JPEG"
    says_not "$coco"    # the record does not depend on where the folder was
    run "$pack" --check "$out"; exits 0; says "48 images and 240 captions match"
done

new_case "what is left is what packing without those pictures gives"
# the same annotations less the rows of the four pictures
fresh
python3 - "$coco/karpathy/coco_karpathy_train.json" "$cut" "$text" "$empty" "$gone" <<'PYTHON'
import json, sys
rows = [r for r in json.load(open(sys.argv[1])) if r['image'].split('/')[-1] not in sys.argv[2:]]
json.dump(rows, open(sys.argv[1], 'w'))
PYTHON
pack_it; exits 0; is "$(digest)" "$left_out" "data digest"

new_case "without --skip-bad nothing is written, and it is named as the remedy"
fresh; : >"$coco/train2014/$cut"; truncate -s -400 "$coco/train2014/$text"
for encoding in raw jpeg; do
    pack_it --encoding $encoding; refused 65; says "$cut"; says "--skip-bad"
    cp "$sample/train2014/$cut" "$coco/train2014"
    pack_it --encoding $encoding; refused 65; says "1 image is damaged"; says "$text"; says "--skip-bad"
    : >"$coco/train2014/$cut"
done

new_case "many: all are counted, 20 are listed, all are recorded"
fresh
for n in $(seq 1 30); do rm "$coco/train2014/$(train_picture "$n")"; done
pack_it --skip-bad; exits 0; says "30 images are missing"; says "and 10 more"; says "train: 10 images, 50 captions"
is "$(grep -c 'no such file' "$output")" 20 "listed images"
run "$pack" --info "$out"; exits 0; says "and 10 more in the file's dataset train/skipped"
is "$(grep -c 'skipped image [0-9]' "$output")" 20 "images shown by --info"
is "$(LC_ALL=C grep -aoE $'COCO_train2014_[0-9]+\\.jpg\tno such file' "$out" | wc -l)" 30 "images recorded"

new_case "no picture left: an error, nothing is written"
fresh; rm "$coco"/train2014/* "$coco"/val2014/*
pack_it --skip-bad; refused 66; says "none of the 40 images of train can be used"; says "--coco"
for picture in "$sample"/train2014/* "$sample"/val2014/*; do : >"$coco/${picture#"$sample"/}"; done
pack_it --skip-bad; refused 65; says "52 images are damaged"
# one split alone
fresh; python3 -c 'import json, os, sys
for row in json.load(open(sys.argv[1] + "/karpathy/coco_karpathy_val.json")): os.remove(sys.argv[1] + "/" + row["image"])' "$coco"
pack_it --skip-bad; refused 66; says "none of the 6 images of val can be used"; says "--splits"
pack_it --skip-bad --splits train,test; exits 0

new_case "an image of two splits counts as shared only if it is kept"
fresh; cp "$coco/karpathy/coco_karpathy_val.json" "$coco/karpathy/coco_karpathy_test.json"
picture=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[0]["image"])' "$coco/karpathy/coco_karpathy_val.json")
: >"$coco/$picture"
pack_it --skip-bad; exits 0; says "5 images that are in an earlier split too"; says "test: 5 images, 25 captions"

new_case "a picture that becomes bad between the two passes ends the run"
if [ "$(id -u)" = 0 ] && command -v strace >/dev/null; then
    fresh; target=$(realpath "$coco/train2014/$cut")
    # the second time it is opened it is not there (strace counts by thread: one thread)
    run strace -f -qq -o /dev/null -P "$target" -e trace=openat -e inject=openat:error=ENOENT:when=2 "$pack" --coco "$coco" --out "$out" --skip-bad --threads 1
    refused 66; says "$cut"; says "pack again"
    # it cannot be read at all: left out
    run strace -f -qq -o /dev/null -P "$target" -e trace=openat -e inject=openat:error=EACCES "$pack" --coco "$coco" --out "$out" --skip-bad --threads 1
    exits 0; says "1 image is missing or cannot be read"; says "Permission denied"
    run "$pack" --info "$out"; says "train2014/$cut: cannot open: Permission denied"
else
    skip_case "needs root and strace"
fi

summary
