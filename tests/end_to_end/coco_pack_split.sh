#!/usr/bin/env bash
# test: quick sanitizers
# Where coco_pack takes the split from (coco_karpathy_*.json, dataset_coco.json, COCO's own), and --splits.
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"

pack="$bin/coco_pack"
sample=$scratch/sample out=$scratch/out.h5
"$bin/make_sample" --out "$sample" --train 40 --val 6 --test 6 --seed 5 >/dev/null || exit 70
fresh() { rm -rf "$scratch/coco" "$scratch"/out.h5*; cp -r "$sample" "$scratch/coco"; coco=$scratch/coco; dataset=$coco/karpathy/dataset_coco.json; }
pack_it() { run "$pack" --coco "$coco" --out "$out" --overwrite "$@"; }
refused() { exits "$1"; leaves_nothing_like "$scratch/out.h5*"; }
digest() { sed -n 's/.*data digest \([0-9a-f]*\).*/\1/p' "$output"; }
# change PYTHON: edits the list of images of dataset_coco.json, called images
change() {
    python3 -c 'import json, sys
root = json.load(open(sys.argv[1]))
images = root["images"]
exec(sys.argv[2])
json.dump(root, open(sys.argv[1], "w"))' "$dataset" "$1"
}

new_case "dataset_coco.json gives the same data as the reference's files"
fresh; pack_it; exits 0; reference=$(digest)
is "${#reference}" 16 "length of the data digest"
says "Karpathy split: coco_karpathy_train.json, coco_karpathy_val.json, coco_karpathy_test.json"
says "dataset_coco.json is there too and is not used"
for given in "$dataset" "$scratch/elsewhere" "$scratch/mine.json"; do
    mkdir -p "$scratch/elsewhere"; cp "$dataset" "$scratch/elsewhere"; cp "$dataset" "$scratch/mine.json"
    pack_it --karpathy "$given"; exits 0; is "$(digest)" "$reference" "data digest with --karpathy $given"
    says "(train and restval are train)"; says "train: 40 images, 200 captions"; says "test: 6 images, 30 captions"
done
run "$pack" --info "$out"; says "packed from: Karpathy split: mine.json"

new_case "it is found by itself in each of the usual folders"
fresh; rm "$coco"/karpathy/coco_karpathy_*.json
pack_it; exits 0; is "$(digest)" "$reference" "data digest"
for folder in annotations .; do
    fresh; mv "$dataset" "$coco/$folder/"; rm -r "$coco/karpathy"
    pack_it; exits 0; is "$(digest)" "$reference" "data digest from $folder"; says "Karpathy split: dataset_coco.json"
done

new_case "part of the reference's files and dataset_coco.json: the latter, said aloud"
fresh; rm "$coco/karpathy/coco_karpathy_val.json"
pack_it; exits 0; is "$(digest)" "$reference" "data digest"
says "coco_karpathy_train.json, coco_karpathy_test.json in $coco/karpathy not used: coco_karpathy_val.json not there"
rm "$dataset"
pack_it; exits 0; says "coco_karpathy_val.json is absent: no val split"; says "test: 6 images"
rm "$out"; pack_it --splits train,val; refused 66; says "coco_karpathy_val.json: no such file"; says "--splits"
pack_it --splits val; refused 66; says "coco_karpathy_val.json: no such file"

new_case "order and place of the pictures are those of the file"
fresh; change 'images.reverse()'
pack_it --karpathy "$dataset"; exits 0; [ "$(digest)" != "$reference" ] || fail "the order does not show"
says "train: 40 images, 200 captions"

new_case "COCO pictures: both sources are the same data"
mini=${BLIP_COCO_DIR:-$root/../shared/data/coco2014-mini}
if [ -e "$mini/karpathy/dataset_coco.json" ]; then
    fresh; coco=$mini
    pack_it --encoding jpeg; exits 0; of_reference=$(digest)
    pack_it --encoding jpeg --karpathy "$mini/karpathy/dataset_coco.json"; exits 0; is "$(digest)" "$of_reference" "data digest"
else
    skip_case "no dataset_coco.json in $mini"
fi

new_case "malformed entries name file, row and key"
fresh
for edit in 'images[3].pop("split")|images row 3|split' 'images[3]["split"] = "trian"|images row 3|trian' \
    'images[3]["split"] = 3|images row 3|split' 'images[5].pop("cocoid"), images[5].pop("imgid", 0)|images row 5|cocoid' \
    'images[5]["cocoid"] = 5.5|images row 5|cocoid' 'images[0].pop("filename")|images row 0|filename' \
    'images[0]["filename"] = ""|images row 0|path' 'images[0]["filepath"] = 3|images row 0|filepath' \
    'images[0]["filepath"] = "../x"|images row 0|path' 'images[7].pop("sentences")|images row 7|sentences' \
    'images[7]["sentences"] = "a"|images row 7|sentences' 'images[7]["sentences"][2].pop("raw")|sentence 2 of images row 7|raw' \
    'images[7]["sentences"][2] = "x"|sentence 2 of images row 7|object' 'images[7] = 7|images row 7|object' \
    'images[7]["cocoid"] = images[6]["cocoid"]|images row 7|stands for' 'root.pop("images")|the whole file|images' \
    'images.clear()|the whole file|no image' 'root["images"] = {}|the whole file|images'; do
    cp "$sample/karpathy/dataset_coco.json" "$dataset"; rm -f "$out"
    change "${edit%%|*}"
    pack_it --karpathy "$dataset"; refused 65; says "$dataset"
    place=${edit#*|}; says "${place%%|*}"; says "${place##*|}"
done
head -c 3000 "$sample/karpathy/dataset_coco.json" >"$dataset"
pack_it --karpathy "$dataset"; refused 65; says "line 1, column 3001"
LC_ALL=C sed -E '1s/"raw":"([^"]{4})/"raw":"\1\xff/' "$sample/karpathy/dataset_coco.json" >"$dataset"
pack_it --karpathy "$dataset"; refused 65; says "sentence 0 of images row 0 (image 42)"; says "UTF-8"
LC_ALL=C sed -E '1s/"tokens":\["/"tokens":["\xff/' "$sample/karpathy/dataset_coco.json" >"$dataset"
pack_it --karpathy "$dataset"; refused 65; says "line 1, column"; says "UTF-8"

new_case "decisions are counted as with the other files"
fresh; change 'images[1]["sentences"] = []; images.append(dict(images[2])); images[4]["sentences"][0]["raw"] = " ."'
pack_it --karpathy "$dataset"; exits 0; says "train: 39 images, 199 captions"
for decision in "1 images without a caption" "1 images listed again" "1 captions without a word"; do says "$decision"; done

new_case "a split that dataset_coco.json lacks"
fresh; change 'images[:] = [i for i in images if i["split"] != "test"]'
pack_it --karpathy "$dataset"; exits 0; says "it has no image of test: no test split"
rm "$out"; pack_it --karpathy "$dataset" --splits test; refused 65; says "no image of test"
pack_it --karpathy "$dataset" --splits val,test; refused 66; says "has no image of test"

new_case "--splits packs those, in the file's order"
fresh; pack_it --splits test,train; exits 0
says "train: 40 images"; says "test: 6 images"; says_not "val: "; says "only train, test"
run "$pack" --info "$out"; says_not "val: "
is "$(grep -nE '^(train|test): ' "$output" | cut -d: -f2 | tr '\n' ' ')" "train test " "order of the splits"
pack_it --splits val --karpathy "$dataset"; exits 0; of_dataset=$(digest)
pack_it --splits val; exits 0; is "$(digest)" "$of_dataset" "data digest of val"
# pictures of the others are not needed
rm "$coco"/train2014/*
pack_it --splits val; exits 0

new_case "--splits of COCO's own split"
fresh; rm -r "$coco/karpathy"
pack_it --splits val; exits 0; says "val: 17 images"; says_not "train: "
rm "$coco/annotations/captions_train2014.json"; pack_it --splits val; exits 0
rm "$out"; pack_it --splits train; refused 66; says "captions_train2014.json"
pack_it --splits test; refused 66; says "COCO's own split has no test"; says "dataset_coco.json"

new_case "wrong words for --splits, --encoding and --karpathy"
fresh
pack_it --splits train,tset; refused 64; says "'tset' is none of train, val, test; did you mean test?"
pack_it --splits train2014; refused 64; says "did you mean train?"
pack_it --splits restval; refused 64; says "'restval'"
pack_it --splits val,val; refused 64; says "listed twice"
pack_it --splits train, ; refused 64; says "--splits"
pack_it --encoding png; refused 64; says "raw, file, jpeg"
pack_it --encoding jpg; refused 64; says "did you mean jpeg?"
pack_it --skip-badd; refused 64; says "did you mean --skip-bad?"
pack_it --karpathy "$scratch/nowhere"; refused 66; says "$scratch/nowhere"
pack_it --karpathy "$coco/karpathy/coco_karpathy_val.json"; refused 64; says "--karpathy $coco/karpathy"
cp "$coco/karpathy/coco_karpathy_val.json" "$scratch/list.json"
pack_it --karpathy "$scratch/list.json"; refused 65; says "list.json"; says "is not Karpathy's dataset_coco.json"

new_case "options of packing beside --info and --check"
for words in "--encoding jpeg" "--skip-bad" "--splits val" "--limit 3" "--out x.h5" "--overwrite" "--karpathy $dataset"; do
    # shellcheck disable=SC2086
    run "$pack" --check "$out" $words; exits 64; says "${words%% *} says how to pack"
    # shellcheck disable=SC2086
    run "$pack" --info "$out" $words; exits 64
done

summary
