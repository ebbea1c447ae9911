#!/usr/bin/env bash
# A file of JPEGs and a file of pixels of the same pictures: the same data digest, losses and weights, also when a run goes
# from one to the other; damage to JPEGs is named.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
pack=$bin/coco_pack
python=$(python3 -c "import h5py" 2>/dev/null && echo python3 || echo /usr/bin/python3) # Debian's Python has Debian's h5py
raw=$scratch/raw.h5 jpeg=$scratch/jpeg.h5 bad=$scratch/bad.h5 coco=$scratch/coco
"$bin/make_sample" --out "$coco" --train 24 --val 6 --test 5 >/dev/null || exit 70
# pictures as they come: grey, four-channel, progressive and with restart markers among them
train_picture() { find "$coco/train2014" -type f | sort | sed -n "$1p"; }
n=0
for picture in "$root"/tests/golden/data/jpeg/*.jpg; do
    cp "$picture" "$(train_picture $((n += 1)))"
done
pack_it() { run "$pack" --coco "$coco" --out "$1" "${@:2}"; exits 0; }
digest() { sed -n 's/.*data digest \([0-9a-f]*\).*/\1/p' "$output"; }

new_case "both encodings: the same data digest, printed and checked"
pack_it "$raw" --encoding raw; says "--encoding file would take about"; of_raw=$(digest)
pack_it "$jpeg" --encoding jpeg; says "of files"; is "$(digest)" "$of_raw" "data digest"
[ ${#of_raw} = 16 ] || fail "digest '$of_raw'"
run "$pack" --info "$raw"; exits 0; says "encoding raw"; says "data digest $of_raw"
run "$pack" --info "$jpeg"; exits 0; says "encoding jpeg"; says "data digest $of_raw"; says "of pixels in"
run "$pack" --check "$jpeg"; exits 0; says "35 images and 175 captions match"
# what is said to be needed is what the file takes, within the 64 KiB allowed for its structures
for file in "$raw" "$jpeg"; do
    kind=$(basename "$file" .h5)
    pack_it "$scratch/again.h5" --encoding "$kind" --overwrite
    said=$(sed -nE 's/.*again.h5 will take ([0-9.]+) (k|M)B.*/\1 \2/p' "$output" | awk '{print int($1 * ($2 == "k" ? 1e3 : 1e6))}')
    size=$(stat -c %s "$file")
    [ $((said - size)) -ge -4096 ] && [ $((said - size)) -le 70000 ] || fail "$kind: $said bytes were announced, $size came"
    same_file "$scratch/again.h5" "$file" "the file packed again with --encoding $kind"
done

new_case "JPEGs are stored as they are"
for picture in "$coco"/val2014/*.jpg "$(train_picture 1)" "$(train_picture 2)"; do
    python3 -c 'import sys; sys.exit(open(sys.argv[1], "rb").read() not in open(sys.argv[2], "rb").read())' "$picture" "$jpeg" ||
        fail "$picture is not in the file"
done
[ "$(stat -c %s "$jpeg")" -lt "$(($(stat -c %s "$raw") / 3))" ] || fail "the file of JPEGs is not small"

new_case "--encoding file is the word, and gives the same bytes"
pack_it "$scratch/again.h5" --encoding file --overwrite
same_file "$scratch/again.h5" "$jpeg" "the file packed with --encoding file"

new_case "PNG, WebP, GIF, BMP and TIFF under any name: Pillow's pixels, as pixels or as files; damaged ones are named by what they are"
mkdir -p "$scratch/forms/p"
python3 - "$scratch/forms" <<'PYTHON'
import json, pathlib, shutil, sys
forms = pathlib.Path(sys.argv[1])
files = json.load(open("tests/golden/data/pictures.json"))["files"]
rows = []
for number, name in enumerate(sorted(files)):
    shutil.copy(f"tests/golden/data/pictures/{name}", forms / f"p/p_{number}.jpg")
    rows.append({"image": f"p/p_{number}.jpg", "caption": [f"picture {number}"]})
json.dump(rows, open(forms / "coco_karpathy_val.json", "w"))
PYTHON
for encoding in raw file; do
    run "$pack" --coco "$scratch/forms" --out "$scratch/forms-$encoding.h5" --encoding $encoding; exits 0
    declare "forms_$encoding=$(digest)"
    run "$pack" --check "$scratch/forms-$encoding.h5"; exits 0
done
# shellcheck disable=SC2154  # declared above
is "$forms_file" "$forms_raw" "data digest"
run "$python" - "$scratch/forms-raw.h5" <<'PYTHON'
import hashlib, json, sys
import h5py
files = json.load(open("tests/golden/data/pictures.json"))["files"]
with h5py.File(sys.argv[1]) as packed:
    split = packed["val"]
    heights, widths, offsets = (split[name][:].tolist() for name in ("heights", "widths", "offsets"))
    assert len(heights) == len(files) >= 300
    for name, height, width, start in zip(sorted(files), heights, widths, offsets):
        pixels = split["pixels"][start:start + height * width * 3].tobytes()
        assert (height, width, hashlib.sha256(pixels).hexdigest()) == tuple(files[name][k] for k in ("height", "width", "sha256")), name
PYTHON
exits 0
head -c 600 tests/golden/data/pictures/large.webp >"$scratch/forms/p/p_7.jpg"
run "$pack" --coco "$scratch/forms" --out "$scratch/bad-forms.h5"; exits 65; says "1 image is damaged"; says "p_7.jpg: not a readable WebP"

new_case "the thread count changes no byte"
pack_it "$scratch/again.h5" --encoding jpeg --threads 5 --overwrite
same_file "$scratch/again.h5" "$jpeg" "the file"

new_case "a flipped byte of a JPEG names the image, on load and in --check"
picture=$(find "$coco/val2014" -type f | sort | tail -n 1)    # the last one of test
place=$(python3 -c 'import sys; print(open(sys.argv[1], "rb").read().find(open(sys.argv[2], "rb").read()))' "$jpeg" "$picture")
for offset in 0 200 $(($(stat -c %s "$picture") - 1)); do
    cp "$jpeg" "$bad"; flip_byte "$bad" $((place + offset))
    run "$pack" --check "$bad"; exits 65; says "bad.h5"; says "1 of 210 elements"; says "(test, row 4)"; says "key, size or JPEG changed"
done
# a picture that training soon meets: the first one
picture=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[0]["image"])' "$coco/karpathy/coco_karpathy_train.json")
place=$(python3 -c 'import sys; print(open(sys.argv[1], "rb").read().find(open(sys.argv[2], "rb").read()))' "$jpeg" "$coco/$picture")
cp "$jpeg" "$bad"; flip_byte "$bad" $((place + 100))
data=$bad; train 1 "$scratch/damaged" --epochs 1; exits 65; says "(train, row 0)"; says "bad.h5"; says "coco_pack --check"

# with_threads N: loader threads of the runs that follow
plain=("${shape[@]}" --threads 1 --no-progress --init-lr 1e-3 --global-batch 12)
with_threads() { small=("${plain[@]}" --loader-threads "$1"); }

new_case "as many threads decode as a rank has cores"
for encoding in raw jpeg; do
    run timeout 60 "$blip" train --data "$scratch/$encoding.h5" --output "$scratch/cores" "${shape[@]}" --global-batch 12 --micro-batch 2 --dry-run
    exits 0
    cores=$(nproc)
    [ $encoding = jpeg ] || cores=$((cores > 1 ? cores / 2 : 1))
    says "and $cores loader thread$([ "$cores" = 1 ] || echo s) a rank"
done

new_case "training: the same losses and weights from either file, with 1 and 3 loader threads"
with_threads 1
data=$raw; train 1 "$scratch/from-raw" --epochs 2; exits 0
data=$jpeg; train 1 "$scratch/from-jpeg" --epochs 2; exits 0
same_losses 0 "$scratch/from-jpeg" "$scratch/from-raw"
same_weights "$scratch/from-jpeg" "$scratch/from-raw"
same_file "$scratch/from-jpeg/result/val_epoch1.json" "$scratch/from-raw/result/val_epoch1.json" "captions"
with_threads 3
train 1 "$scratch/three" --epochs 2; exits 0
same_losses 0 "$scratch/three" "$scratch/from-raw"
same_weights "$scratch/three" "$scratch/from-raw"

new_case "a run that began with pixels goes on with JPEGs"
with_threads 1
data=$raw; train 1 "$scratch/changed" --epochs 2 --max-steps 7; exits 0
data=$jpeg; train 1 "$scratch/changed" --epochs 2; exits 0; says "resuming after step 7"
same_losses 0 "$scratch/changed" "$scratch/from-raw"
same_weights "$scratch/changed" "$scratch/from-raw"

new_case "signals while packing leave no file behind"
big=$scratch/big
"$bin/make_sample" --out "$big" --train 150 --val 2 --test 2 --size 1600x1200 >/dev/null || exit 70
for words in "INT 130 --encoding jpeg" "TERM 143 --skip-bad --encoding jpeg"; do
    # shellcheck disable=SC2086
    set -- $words
    "$pack" --coco "$big" --out "$scratch/stopped.h5" --threads 1 "${@:3}" >"$output" 2>&1 &
    packing=$!
    for _ in $(seq 400); do
        compgen -G "$scratch/stopped.h5.tmp*" >/dev/null && break
        sleep 0.05
    done
    compgen -G "$scratch/stopped.h5.tmp*" >/dev/null || fail "no temporary file was seen"
    kill "-$1" $packing
    wait $packing
    status=$?
    exits "$2"; says "nothing was written"
    leaves_nothing_like "$scratch/stopped.h5*"
done

new_case "not enough space: said before anything is written, and that JPEGs would fit"
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
    mkdir -p "$scratch/tiny"
    # shellcheck disable=SC2016
    in_tiny() {
        run unshare -m bash -c 'mount -t tmpfs -o size=1200k tmpfs "$1" && "$2" --coco "$3" --out "$1/out.h5" --encoding "$4"; rc=$?; ls -A "$1"; exit $rc' \
            _ "$scratch/tiny" "$pack" "$coco" "$1"
    }
    in_tiny raw; exits 74; says "does not fit"; says "; --encoding file would take about"; says_not "out.h5.tmp"
    in_tiny jpeg; exits 0; says "data digest $of_raw"
else
    skip_case "needs root and mount namespaces"
fi
summary
