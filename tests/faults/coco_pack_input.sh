#!/usr/bin/env bash
# test: quick sanitizers
# What coco_pack does with bad input: message, exit code, and that nothing is left behind.
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"

pack="$bin/coco_pack"
sample=$scratch/sample
"$bin/make_sample" --out "$sample" --train 40 --val 6 --test 6 --seed 5 >/dev/null || exit 70
out=$scratch/out.h5

# fresh: a copy of the sample to damage, in $coco
fresh() { rm -rf "$scratch/coco" "$scratch"/out.h5*; cp -r "$sample" "$scratch/coco"; coco=$scratch/coco; }
# edit FILE SED_EXPRESSION
edit() { sed -i -E "$2" "$1"; }
pack_it() { run "$pack" --coco "$coco" --out "$out" "$@"; }
refused() { exits "$1"; leaves_nothing_like "$scratch/out.h5*"; }
image_of_row() { find "$coco/train2014" -type f -printf '%f\n' | sort | sed -n "$1p"; }

new_case "a good tree is packed, printed and checked"
fresh
pack_it
exits 0; says "Karpathy split"; says "train: 40 images, 200 captions"; says "will take"; says "are free"
run "$pack" --info "$out"
exits 0; says "data digest"; says "val: 6 images, 30 captions"; says "vocabulary of 30522 words"
run "$pack" --check "$out"
exits 0; says "52 images and 260 captions match"
leaves_nothing_like "$out.tmp*"

new_case "the same tree gives the same bytes, whatever the threads"
cp "$out" "$scratch/first.h5"
pack_it --overwrite --threads 7
exits 0
cmp -s "$out" "$scratch/first.h5" || fail "files differ"

new_case "--overwrite replaces neither what is packed nor a device"
mkdir -p "$scratch/own"
picture=$(find "$coco" -name '*.jpg' | head -1)
printf 'file,caption\n%s,a ball\n' "$picture" >"$scratch/own/captions.csv"
run "$pack" "$scratch/own/captions.csv" --out "$scratch/own/captions.csv" --overwrite
exits 64; says "captions.csv would be replaced, and is read"
is "$(head -1 "$scratch/own/captions.csv")" file,caption "the table"
ln -s /dev/null "$scratch/own/null"
run "$pack" "$scratch/own/captions.csv" --out "$scratch/own/null" --overwrite
exits 64; says "is a device or a pipe"
[ -c "$scratch/own/null" ] || fail "the device was replaced"

new_case "an existing --out is kept unless --overwrite"
cp "$out" "$scratch/before.h5"
pack_it
exits 64; says "--overwrite"
cmp -s "$out" "$scratch/before.h5" || fail "the file changed"

new_case "--limit takes the first images of each split"
pack_it --overwrite --limit 3
exits 0; says "train: 3 images, 15 captions"; says "test: 3 images"

new_case "without Karpathy files: train2014 and val2014, said plainly"
fresh; rm -r "$coco/karpathy"
pack_it
exits 0; says "COCO's own split: train2014 for training, val2014 for validation, no test split"; says "train: 35 images"; says "val: 17 images"

new_case "--karpathy without the files"
fresh; mkdir "$scratch/empty"
pack_it --karpathy "$scratch/empty"
refused 66; says "$scratch/empty"

new_case "wrong command lines"
for words in "" "--nonsense" "--limit -1 --coco a" "--info a --check b" "--threads x --coco a" "stray other" "a --coco b" "--rows --coco a"; do
    # shellcheck disable=SC2086
    run "$pack" $words
    exits 64
done
run "$pack" --coco "$coco" --limit 1 --limt 2; says "limt"
run "$pack" --help; exits 0; says "--karpathy FILE|DIR"; says "--encoding raw|file|jpeg"; says "--skip-bad"; says "--splits"

new_case "missing folders and files"
run "$pack" --coco "$scratch/nowhere" --out "$out"; refused 66; says "$scratch/nowhere"
run "$pack" --coco "$coco" --out "$scratch/nowhere/x.h5"; exits 66; says "$scratch/nowhere"
run "$pack" --coco "$coco" --out "$scratch"; exits 64; says "is a folder"
run "$pack" --check "$scratch/nowhere.h5"; exits 66; says "nowhere.h5"
run "$pack" --info "$coco/annotations/captions_val2014.json"; exits 65; says "whole HDF5 file"
run "$pack" --coco "$coco" --out "$out" --vocab "$scratch/no_words"; refused 66; says "no_words"
run "$pack" --coco "$coco" --out "$out" --vocab "$0"; refused 65
rm -r "$coco/karpathy" "$coco/annotations"; pack_it; refused 66; says "captions_train2014.json"

new_case "missing images: all counted, the first 20 listed, nothing written"
fresh; rm "$coco"/train2014/*
pack_it
refused 66; says "35 images are missing"; says "and 15 more"
is "$(grep -c 'COCO_train2014' "$output")" 20 "listed images"

new_case "damaged images: not a JPEG, empty, truncated"
fresh
a=$(image_of_row 1) b=$(image_of_row 2) c=$(image_of_row 3)
echo "no picture" >"$coco/train2014/$a"; : >"$coco/train2014/$b"
pack_it
refused 65; says "2 images are damaged"; says "$a"; says "$b"
cp "$sample/train2014/$a" "$sample/train2014/$b" "$coco/train2014"; truncate -s -400 "$coco/train2014/$c"
pack_it
refused 65; says "1 image is damaged"; says "$c"

new_case "missing and damaged together"
rm "$coco/train2014/$a"; : >"$coco/train2014/$b"
pack_it
refused 66; says "1 image is missing"; says "1 image is damaged"

new_case "a folder in place of an image"
fresh; rm "$coco/train2014/$a"; mkdir "$coco/train2014/$a"
pack_it
[ "$status" -eq 66 ] || [ "$status" -eq 65 ] || fail "exit $status"
leaves_nothing_like "$scratch/out.h5*"; says "$a"

new_case "malformed JSON names file, line and column"
fresh; printf '[\n {"image": "a.jpg", "caption": ["x"]},\n  oops]\n' >"$coco/karpathy/coco_karpathy_val.json"
pack_it
refused 65; says "coco_karpathy_val.json"; says "line 3, column 3"
: >"$coco/karpathy/coco_karpathy_val.json"; pack_it; refused 65; says "line 1, column 1"
head -c 300 "$sample/karpathy/coco_karpathy_val.json" >"$coco/karpathy/coco_karpathy_val.json"; pack_it; refused 65; says "line 1, column 30"

new_case "rows of the wrong form name row and key"
for row in '{"caption": ["x"]}|image' '{"image": 7, "caption": ["x"]}|image' '{"image": "val2014/a_1.jpg"}|caption' \
    '{"image": "val2014/a_1.jpg", "caption": 7}|caption' '{"image": "val2014/a_1.jpg", "caption": [5]}|caption 0 of row 0' \
    '[]|row 0' '{"image": "val2014/a_1.jpg", "image_id": [1], "caption": ["x"]}|image_id'; do
    printf '[%s]' "${row%|*}" >"$coco/karpathy/coco_karpathy_val.json"
    pack_it; refused 65; says "row 0"; says "${row##*|}"
done
for text in '{}' '[]' '"x"' '{"images": 3}'; do
    printf '%s' "$text" >"$coco/karpathy/coco_karpathy_val.json"
    pack_it; refused 65; says "coco_karpathy_val.json"
done

new_case "paths must stay in the COCO folder"
for path in ../secret_1.jpg /etc/secret_1.jpg val2014/../../secret_1.jpg ""; do
    printf '[{"image": "%s", "caption": ["x"]}]' "$path" >"$coco/karpathy/coco_karpathy_val.json"
    pack_it; refused 65; says "row 0"
done
fresh; rm -r "$coco/karpathy"; edit "$coco/annotations/captions_val2014.json" 's#"file_name":"[^"]*"#"file_name":"../train2014/x_1.jpg"#'
pack_it; refused 65; says "leaves val2014"

new_case "invalid UTF-8 names the caption"
fresh; LC_ALL=C sed -i -E '1s/("caption":")([^"]{5})/\1\xff\2/' "$coco/karpathy/coco_karpathy_train.json"
pack_it; refused 65; says "caption of row 0 (image 42)"; says "UTF-8"
fresh; LC_ALL=C sed -i -E '1s/("caption":\["[^"]*",")/\1\xc3(/' "$coco/karpathy/coco_karpathy_test.json"
pack_it; refused 65; says "caption 1 of row 0 (image 364)"
fresh; rm -r "$coco/karpathy"; LC_ALL=C sed -i -E 's/("id":7,"caption":")/\1\xed\xa0\x80/' "$coco/annotations/captions_train2014.json"
pack_it; refused 65; says "caption id 7 (image 49)"
fresh; LC_ALL=C sed -i -E '1s/"image":"train2014/"image":"train2014\xfe/' "$coco/karpathy/coco_karpathy_train.json"
pack_it; refused 65; says "image path"

# Decisions: each is counted, printed and stored.
decision() { says "$2 "; says "($1)"; run "$pack" --info "$out"; says "($1)"; grep -qE "^  $2 .*\($1\)" "$output" || fail "--info lacks $2 $1"; }

new_case "empty captions are left out"
fresh; edit "$coco/karpathy/coco_karpathy_test.json" 's/"caption":\["[^"]*","[^"]*"/"caption":["","  . ! "/g'
pack_it; exits 0; says "test: 6 images, 18 captions"; decision empty_captions 12

new_case "images without captions are left out"
fresh; edit "$coco/karpathy/coco_karpathy_val.json" 's/"caption":\[[^]]*\]/"caption":[]/'
pack_it; exits 0; says "val: 5 images, 25 captions"; decision images_without_captions 1
edit "$coco/karpathy/coco_karpathy_val.json" 's/"caption":\[[^]]*\]/"caption":[]/g'
rm "$out"; pack_it; refused 65; says "no image with a caption"

new_case "an image listed twice is one image"
fresh; edit "$coco/karpathy/coco_karpathy_val.json" 's/^\[(\{[^}]*\})/[\1,\1/'
pack_it; exits 0; says "val: 6 images, 35 captions"; decision duplicate_image_ids 1
fresh; rm -r "$coco/karpathy"; edit "$coco/annotations/captions_val2014.json" 's/"images":\[(\{[^}]*\})/"images":[\1,\1/'
pack_it; exits 0; decision duplicate_image_ids 1

new_case "one image id for two files is refused"
fresh; edit "$coco/karpathy/coco_karpathy_train.json" 's/coco_49"/coco_42"/'
pack_it; refused 65; says "image id 42 stands for"

new_case "a caption id met again is left out"
fresh; rm -r "$coco/karpathy"; edit "$coco/annotations/captions_train2014.json" 's/"id":7,"caption"/"id":6,"caption"/'
pack_it; exits 0; says "train: 35 images, 174 captions"; decision duplicate_caption_ids 1

new_case "captions of unknown images are left out"
fresh; rm -r "$coco/karpathy"; edit "$coco/annotations/captions_train2014.json" 's/"image_id":49,/"image_id":50,/g'
pack_it; exits 0; says "train: 34 images, 170 captions"; says "(images_without_captions)"; decision captions_of_unknown_images 5

new_case "an image of an earlier split is counted"
fresh; cp "$coco/karpathy/coco_karpathy_val.json" "$coco/karpathy/coco_karpathy_test.json"
pack_it; exits 0; decision images_in_an_earlier_split 6

new_case "not enough space: said before anything is written"
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
    fresh; mkdir -p "$scratch/tiny"
    # shellcheck disable=SC2016
    run unshare -m bash -c 'mount -t tmpfs -o size=600k tmpfs "$1" && "$2" --coco "$3" --out "$1/out.h5"; rc=$?; ls -A "$1"; exit $rc' \
        _ "$scratch/tiny" "$pack" "$coco"
    exits 74; says "does not fit"; says_not "out.h5.tmp"
else
    skip_case "needs root and mount namespaces"
fi

new_case "standard output on a full disk: told before the pictures are packed"
pack_it --overwrite; exits 0
for words in --help "--coco $sample --out $scratch/full.h5" "--info $out" "--check $out"; do
    status=0
    # shellcheck disable=SC2086  # several words
    "$pack" $words >/dev/full 2>"$output" || status=$?
    exits 74; says "to standard output: No space left on device"
done
leaves_nothing_like "$scratch/full.h5"

new_case "pictures of COCO itself"
mini=${BLIP_COCO_DIR:-$root/../shared/data/coco2014-mini}
if [ -d "$mini" ]; then
    coco=$mini
    pack_it --overwrite; exits 0
    run "$pack" --check "$out"; exits 0; says "match their digests"
else
    skip_case "no COCO pictures in $mini"
fi

summary
