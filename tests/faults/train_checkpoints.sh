#!/usr/bin/env bash
# test: quick sanitizers
# What a run does with the folder it finds: damaged checkpoints are named and the one before is used; another run's are
# refused by name; --fresh; and a loss that is not finite leaves the last good state alone.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
draw_sample 24    # 10 steps an epoch
run_options=(--epochs 2 --no-evaluate --checkpoint-every 5 --keep 10)

new_case "a run of 15 steps with a checkpoint every 5"
train 2 "$scratch/base" "${run_options[@]}" --max-steps 15
exits 0
for step in 5 10 15; do whole_checkpoint "$scratch/base" $step || fail "no checkpoint of step $step"; done
leaves_nothing_like "$scratch/base/checkpoints/.*[!.]"
train 2 "$scratch/whole" "${run_options[@]}"
exits 0

newest=checkpoints/step-00000015
# damaged NAME WORD COMMAND...: COMMAND damages the newest checkpoint of a copy in $copy
copy=$scratch/copy
damaged() {
    new_case "the newest checkpoint has $1: named, the one before is used"
    rm -rf "$copy"
    cp -r "$scratch/base" "$copy"
    "${@:3}"
    train 2 "$copy" "${run_options[@]}"
    exits 0
    said_once "step-00000015 is passed over: "; says "$2"
    says "resuming after step 10"; says "finished after step 20"
    same_weights "$copy" "$scratch/whole"
}
shard=$copy/$newest/shard-00001-of-00002.safetensors
damaged "a truncated shard" "${shard##*/}" truncate -s -100 "$shard"
flip_middle() { flip_byte "$1" $(($(stat -c %s "$1") / 2)); }
damaged "a flipped byte in a shard" "${shard##*/}" flip_middle "$shard"
damaged "a flipped byte in its manifest" "manifest.json" flip_middle "$copy/$newest/manifest.json"
damaged "a shard missing" "${shard##*/}" rm "$shard"

new_case "no checkpoint is intact: refused once, nothing is lost"
rm -rf "$copy"
cp -r "$scratch/base" "$copy"
for file in "$copy"/checkpoints/*/shard-00000*; do flip_middle "$file"; done
train 2 "$copy" "${run_options[@]}"
exits 65; said_once "none of them intact"; says "step-00000005 is passed over"
is "$(find "$copy" -name 'shard-*' | wc -l)" 6 "shards left"

new_case "a manifest missing: that checkpoint was never finished"
rm -rf "$copy"
cp -r "$scratch/base" "$copy"
rm "$copy/$newest/manifest.json"
train 2 "$copy" "${run_options[@]}"
exits 0; says "resuming after step 10"; said_once "step-00000015 has no manifest.json, as an interrupted save leaves it: removed"
same_weights "$copy" "$scratch/whole"

new_case "another run's options: not even an unfinished save is removed"
rm -rf "$copy"
cp -r "$scratch/base" "$copy"
rm "$copy/$newest/manifest.json"
train 2 "$copy" "${run_options[@]}" --seed 43
exits 64; says "seed: was 42, now 43"
[ -d "$copy/$newest" ] || fail "it is gone"

new_case "all manifests or all checkpoints are gone, but the run's results tell of them: no silent start from the beginning"
rm "$copy"/checkpoints/*/manifest.json
for extra in "" --dry-run; do
    # shellcheck disable=SC2086  # one or none
    train 2 "$copy" "${run_options[@]}" $extra
    exits 65; said_once "holds results of an earlier run (log.jsonl, which tells of checkpoints) but none of its checkpoints"
done
is "$(find "$copy" -name 'shard-*' | wc -l)" 6 "shards left"
mv "$copy/checkpoints" "$scratch/moved"
for left in log.jsonl best evaluations; do
    rm -rf "$copy/log.jsonl"
    case $left in
        log.jsonl) cp "$scratch/base/log.jsonl" "$copy" ;;
        best) mkdir "$copy/best" && touch "$copy/best/model.safetensors" ;;
        evaluations) mkdir "$copy/evaluations" && touch "$copy/evaluations/epoch-0.json" ;;
    esac
    train 1 "$copy" "${run_options[@]}"
    exits 65; says "put checkpoints/ back to go on with it, or give another --output to start over"; says "($left"
    rm -rf "${copy:?}/$left"
done

new_case "results of a run that never wrote a checkpoint are named; empty folders, as a full disk leaves them, are none"
sed '/"kind":"checkpoint"/d' "$scratch/whole/log.jsonl" >"$copy/log.jsonl"
mkdir "$copy/best" && touch "$copy/best/model.safetensors"
train 2 "$copy" "${run_options[@]}"
exits 65; said_once "holds results of a run that wrote no checkpoint to go on from: to start over, move best/ away"
rm "$copy/best/model.safetensors"
mkdir "$copy/evaluations"
train 2 "$copy" "${run_options[@]}"
exits 0; says "finished after step 20"
rmdir "$copy/best" # of the other run there is none
same_weights "$copy" "$scratch/whole"

refused() { # CODE WORD ARGUMENT...: by the run in base, once for all ranks, which stays as it is
    local before
    before=$(find "$scratch/base" -path '*checkpoints*' -type f -exec md5sum {} + | sort)
    train 3 "$scratch/base" "${@:3}"
    exits "$1"; said_once "$2"; said_once "error: "
    is "$(find "$scratch/base" -path '*checkpoints*' -type f -exec md5sum {} + | sort)" "$before" "checkpoints of the refused run"
}
new_case "another run's checkpoints are refused by the name of what differs"
refused 64 "seed: was 42, now 43" "${run_options[@]}" --seed 43
refused 64 "epochs: was 2, now 3" --epochs 3 --no-evaluate
refused 64 "dropout: was 0.1, now 0" "${run_options[@]}" --dropout 0
small=("${small[@]/12/24}")
refused 64 "global-batch: was 12, now 24" "${run_options[@]}"
small=("${small[@]/24/12}")
"$bin/make_sample" --out "$scratch/coco2" --train 24 --val 6 --test 5 --seed 9 >/dev/null
"$bin/coco_pack" --coco "$scratch/coco2" --out "$scratch/other.h5" >/dev/null
first=$data data=$scratch/other.h5
refused 64 "data digest: was " "${run_options[@]}"
data=$first

new_case "the last --micro-batch counts; what changes bits or scores alone is told, and the run goes on"
refused 64 "loss-average: was tokens, now micro-batch of 2" "${run_options[@]}" --loss-average micro-batch
rm -rf "$copy"
cp -r "$scratch/base" "$copy"
train 2 "$copy" "${run_options[@]}" --micro-batch 3 --num-beams 2 --search transformers --max-steps 16
exits 0; says "--micro-batch is given more than once; the last counts: 3 instead of 2"; says "resuming after step 15"
said_once "since step-00000015 (micro-batch: was 2, now 3): the same samples"
said_once "since step-00000015 (num-beams: was 3, now 2; search: was blip, now transformers): scores from here on"

new_case "the weights in --init have their own width: --text-heads is compared with that"
train 1 "$scratch/wider" --init "$scratch/base" --text-heads 2 --dry-run
exits 0
run "$blip" train --data "$data" --output "$scratch/wider" --init "$scratch/base" --text-heads 5
exits 64; says "text-heads: 5 was asked for, the weights have 2"

new_case "--fresh refuses a folder that is not empty, and takes an empty one"
refused 64 "--fresh: $scratch/base is not empty" "${run_options[@]}" --fresh
mkdir "$scratch/empty"
train 2 "$scratch/empty" --max-steps 1 --no-evaluate --fresh
exits 0; says "starting from random weights"

new_case "a loss that is not finite: step, rank and samples are named, the last good state stays"
small=("${small[@]/1e-3/1e30}")
train 2 "$scratch/inf" --epochs 2 --no-evaluate --checkpoint-every 1
exits 70
said_once "is not finite"; says "the loss of step 2 "; says "rank 0: image "; says "rank 1: image "; says "(caption row "
whole_checkpoint "$scratch/inf" 1 || fail "the checkpoint of step 1 is gone"
is "$(find "$scratch/inf/checkpoints" -mindepth 1 -maxdepth 1 | wc -l)" 1 "checkpoints"
small=("${small[@]/1e30/1e-3}")
rows=$(grep -o 'caption row [0-9]*' "$output" | sort -u | wc -l)
is "$rows" 12 "samples named"

new_case "weights that are too large: the first step stops, no checkpoint; with an infinity they are refused"
train 2 "$scratch/good" --max-steps 10 --epochs 1
exits 0
with_value() { python3 - "$scratch/good/best/model.safetensors" "$@" <<'PYTHON'
import json, struct, sys
data = bytearray(open(sys.argv[1], 'rb').read())
length = struct.unpack('<Q', data[:8])[0]
header = json.loads(data[8:8 + length])
for digest in ('xxh3', 'header_xxh3'): del header['__metadata__'][digest]    # whoever edits weights on purpose drops their digests
at = header['visual_encoder.norm.weight']['data_offsets'][0]
struct.pack_into('<f', data, 8 + length + at, float(sys.argv[3]))
text = json.dumps(header).encode()
text += b' ' * (-len(text) % 8)
open(sys.argv[2], 'wb').write(struct.pack('<Q', len(text)) + text + data[8 + length:])
PYTHON
}
with_value "$scratch/large.safetensors" 3e38
train 2 "$scratch/from-large" --epochs 2 --no-evaluate --checkpoint-every 1 --init "$scratch/large.safetensors"
exits 70; said_once "the loss of step 1 is not finite; no update came before it: look at the weights of --init"; says "rank 1: image "
leaves_nothing_like "$scratch/from-large/checkpoints/*"
with_value "$scratch/inf.safetensors" inf
train 2 "$scratch/from-inf" --epochs 2 --init "$scratch/inf.safetensors"
exits 65; said_once "inf.safetensors: visual_encoder.norm.weight has values that are not finite"
summary
