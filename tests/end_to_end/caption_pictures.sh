#!/usr/bin/env bash
# test: quick sanitizers
# The caption verb: anyone's pictures, without mpirun, without a data file, in an empty environment; pictures that are
# missing or broken. (Folders, lists, JSON, batches: caption_batches.sh.)
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
draw_sample 12
train 1 "$scratch/run" --epochs 1
mapfile -t pictures < <(grep -o 'val2014/[A-Za-z0-9_]*.jpg' "$scratch/coco/karpathy/coco_karpathy_val.json" | head -n 3 | sed "s|^|$scratch/coco/|")
# caption ARGUMENT...: lines "PICTURE: caption" on stdout, messages on stderr
caption() {
    status=0
    "$blip" caption "$@" >"$scratch/said" 2>"$scratch/errors" || status=$?
    cat "$scratch/said" "$scratch/errors" >"$output"
}
captioned() { # PICTURE...: these and no others, in this order
    is "$(sed 's/: .*//' "$scratch/said" | tr '\n' ' ')" "$(printf '%s ' "$@")" "pictures captioned"
    ! grep -q ': *$' "$scratch/said" || fail "an empty caption"
}

new_case "several pictures, a line each"
caption --init "$scratch/run/best" "${pictures[@]}"
exits 0
captioned "${pictures[@]}"
is "$(wc -c <"$scratch/errors")" 0 "characters on stderr"
cp "$scratch/said" "$scratch/first"

new_case "the run's folder, a checkpoint and the bare weights give the same captions as best/"
for init in "$scratch/run" "$(last_checkpoint "$scratch/run")" "$scratch/run/best/model.safetensors"; do
    caption --init "$init" "${pictures[@]}"
    exits 0
    same_file "$scratch/said" "$scratch/first" "captions from $init"
done

new_case "in an empty environment, from another folder, with a copy of best/ alone"
cp -r "$scratch/run/best" "$scratch/elsewhere"
run env -i -C / "$blip" caption --init "$scratch/elsewhere" "${pictures[@]}"
exits 0
same_file "$output" "$scratch/first" "captions"

new_case "the captions of the evaluate verb are those of these pictures"
run mpirun -np 1 "$blip" evaluate --data "$data" --init "$scratch/run/best" --output "$scratch/scores" --threads 1
exits 0
run python3 - "$scratch/first" "$scratch/scores"/result/*.json <<'PYTHON'
import json, re, sys
captions = {row['image_id']: row['caption'] for file in sys.argv[2:] for row in json.load(open(file))}
lines = open(sys.argv[1]).readlines()
assert len(lines) == 3, lines
for line in lines:
    image, caption = re.match(r'.*_0*(\d+)\.jpg: (.*)\n', line).groups()
    assert captions[int(image)] == caption, (captions[int(image)], caption)
PYTHON
exits 0

new_case "missing pictures: 66, all that are missing are named, the others have their captions"
caption --init "$scratch/run/best" "$scratch/absent.jpg" "${pictures[0]}" "$scratch/gone.jpg" "https://x.org/a.jpg" "$scratch/*.jpg"
exits 66; said_once "no such picture: $scratch/absent.jpg"; said_once "$scratch/gone.jpg"
said_once "https://x.org/a.jpg; an address is not opened: download the picture"; said_once "$scratch/*.jpg; the shell fills in names only where no quotes are"
captioned "${pictures[0]}"
same_file <(sed -n 1p "$scratch/said") <(sed -n 1p "$scratch/first") "the caption"

new_case "weights that are a name on the hub or an address: how to get them"
caption --init Salesforce/blip-image-captioning-base "${pictures[0]}"
exits 66; says "hf download Salesforce/blip-image-captioning-base --local-dir blip-image-captioning-base"
caption --init https://x.org/blip.pth "${pictures[0]}"
exits 66; says "an address is not opened: download the file"
caption --init "$scratch/none/best" "${pictures[0]}"
exits 66; says "no such file or folder"; says_not "hf download"

new_case "a broken picture: 65 and its name, the others have their captions"
head -c 600 "${pictures[1]}" >"$scratch/half.jpg"
echo "not a picture" >"$scratch/text.jpg"
caption --init "$scratch/run/best" "${pictures[0]}" "$scratch/text.jpg" "$scratch/half.jpg" "${pictures[2]}"
exits 65; said_once "$scratch/text.jpg"; said_once "$scratch/half.jpg"
captioned "${pictures[0]}" "${pictures[2]}"
same_file <(sed -n 1p "$scratch/said") <(sed -n 1p "$scratch/first") "the first caption"

new_case "weights that are absent, damaged or of another shape"
caption --init "$scratch/none" "${pictures[0]}"
exits 66; said_once "$scratch/none"
caption --init "$scratch/run/best" --vision-depth 7 "${pictures[0]}"
exits 64; said_once "vision-depth: 7 was asked for, the weights have 2"
truncate -s -1000 "$scratch/elsewhere/model.safetensors"
caption --init "$scratch/elsewhere" "${pictures[0]}"
exits 65; said_once "$scratch/elsewhere/model.safetensors"
is "$(wc -c <"$scratch/said")" 0 "characters on stdout"

new_case "one beam is greedy, and a short length is kept to"
caption --init "$scratch/run/best" --num-beams 1 --max-length 7 "${pictures[0]}"
exits 0
captioned "${pictures[0]}"
[ "$(sed 's/.*: //' "$scratch/said" | wc -w)" -le 3 ] || fail "longer than 7 tokens, prompt included"
summary
