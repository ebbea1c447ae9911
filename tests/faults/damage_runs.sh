#!/usr/bin/env bash
# Runs that meet damaged files: data that differ from rank to rank or change while the job is at work, references, best
# weights, vocabulary, evaluations, logs. (Each bit of each kind of file: unit_data, unit_checkpoint, unit_options; the
# newest checkpoint: train_checkpoints.sh.)
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
draw_sample 24    # 10 steps an epoch

# spoil_pixels FILE: a bit in each KiB of its middle, where the training pictures lie
spoil_pixels() {
    python3 - "$1" <<'PYTHON'
import os, sys
size = os.path.getsize(sys.argv[1])
with open(sys.argv[1], "r+b") as file:
    for at in range(size * 3 // 10, size * 6 // 10, 1024):
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 4]))
PYTHON
}
named_by_a_rank() { grep -qE "error: rank $1 on .*$2.*image [0-9]+ \((train|val|test), row [0-9]+\)" "$output" || fail "rank, file or image is not named"; }

new_case "one rank's copy of the data is damaged: rank, file and picture are named within seconds"
cp "$data" "$scratch/copy.h5"
spoil_pixels "$scratch/copy.h5"
common=(train --output "$scratch/o1" "${small[@]}" --micro-batch 2 --no-evaluate --epochs 1)
begin=$SECONDS
run timeout -k 5 60 mpirun -np 1 "$blip" "${common[@]}" --data "$data" : -np 1 "$blip" "${common[@]}" --data "$scratch/copy.h5"
exits 65; named_by_a_rank 1 copy.h5
[ $((SECONDS - begin)) -le 10 ] || fail "it took $((SECONDS - begin)) s"

for how in "flipped bits" "truncated"; do
    new_case "the data file is damaged while the job reads it ($how)"
    cp "$data" "$scratch/copy.h5"
    start mpirun -np 2 "$blip" train --output "$scratch/o2-$how" "${small[@]}" --micro-batch 2 --no-evaluate --epochs 500 --data "$scratch/copy.h5"
    wait_for 60 step_logged "$scratch/o2-$how" 5
    if [ "$how" = truncated ]; then truncate -s 600000 "$scratch/copy.h5"; else spoil_pixels "$scratch/copy.h5"; fi
    finish_job 10
    exits 65; named_by_a_rank "[01]" copy.h5
done

new_case "a flipped bit in a reference caption never becomes a score"
cp "$data" "$scratch/copy.h5"
place=$(python3 - "$data" "$scratch/coco/karpathy/coco_karpathy_val.json" <<'PYTHON'
import json, sys
caption = json.load(open(sys.argv[2]))[0]["caption"][0].encode()
print(open(sys.argv[1], "rb").read().index(caption) + 3)
PYTHON
)
flip_byte "$scratch/copy.h5" "$place"
train 1 "$scratch/run" --epochs 1 --max-steps 2
for verb in "evaluate --init $scratch/run/checkpoints/step-00000002 --output $scratch/scores" "train --output $scratch/o3 --model tiny"; do
    # shellcheck disable=SC2086
    run timeout 60 mpirun -np 2 "$blip" $verb --data "$scratch/copy.h5"
    exits 65; said_once "error: "; says "copy.h5: digest mismatch of caption row 0 (val, image"
done
leaves_nothing_like "$scratch/scores/*"

new_case "a run that goes on says which evaluations, log and best weights are damaged or gone"
out=$scratch/out
train 2 "$out" --epochs 3 --max-steps 20
exits 0
[ -s "$out/best/model.safetensors" ] || fail "no best weights"
cp -r "$out" "$scratch/kept"
flip_byte "$out/evaluations/epoch-0.json" 60
rm "$out/evaluations/epoch-1.json" "$out"/result/*_epoch1.json
printf '{"kind":"step","time":"2026' >>"$out/log.jsonl"
touch "$out/best/model.safetensors.tmp.123" "$out/evaluations/epoch-1.json.tmp.123" "$out/best/mine.tmp"
train 2 "$out" --epochs 3
exits 0; says "best/model.safetensors.tmp.123 was being written when a job was killed: removed"
leaves_nothing_like "$out/*/*.tmp.*"
[ -e "$out/best/mine.tmp" ] || fail "another's file is gone"
says "epoch-0.json is damaged"; says_not "epoch-1.json is"; said_once "log.jsonl ended within a record"
says "epoch 2 val: "; says "epoch 3 val: "
same_file "$out/result/val_epoch1.json" "$scratch/kept/result/val_epoch1.json" "the captions made again"
cp -r "$scratch/kept" "$scratch/whole"
train 2 "$scratch/whole" --epochs 3
same_weights "$out" "$scratch/whole"

# The last epoch's take their place.
for how in flipped truncated deleted; do
    new_case "best weights that are $how are named and replaced, never compared with or used"
    rm -rf "$scratch/copy"
    cp -r "$scratch/kept" "$scratch/copy"
    best=$scratch/copy/best/model.safetensors
    case $how in
        flipped) flip_byte "$best" 400 ;;
        truncated) truncate -s 5000 "$best" ;;
        deleted) rm "$best" ;;
    esac
    if [ $how != deleted ]; then
        run "$blip" caption --init "$scratch/copy/best" "$scratch"/coco/val2014/*
        exits 65; says "$best"
    fi
    train 2 "$scratch/copy" --epochs 3
    exits 0; said_once "the best weights so far are lost"; says "model.safetensors"
    says "epoch 3 is the best so far"
    run "$blip" verify --deep "$scratch/copy/best"
    exits 0
done

new_case "a flipped letter in best/vocab.txt never becomes a caption"
mapfile -t pictures < <(find "$scratch/coco" -name '*.jpg' | sort | head -n 2)
run "$blip" caption --init "$scratch/kept/best" "${pictures[@]}"
exits 0
cp -r "$scratch/kept/best" "$scratch/best"
flip_byte "$scratch/best/vocab.txt" 100000
run "$blip" caption --init "$scratch/best" "${pictures[@]}"
exits 65; says "$scratch/best/vocab.txt is damaged"
run "$blip" export --from "$scratch/best" --to "$scratch/exported"
exits 65; says "$scratch/best/vocab.txt is damaged"

new_case "results that are damaged are refused or are other captions, never a crash"
results=$scratch/kept/result/val_epoch1.json
size=$(stat -c %s "$results")
for ((k = 0; k < 8; ++k)); do
    cp "$results" "$scratch/results.json"
    if [ $k -lt 3 ]; then truncate -s $((size * k / 3)) "$scratch/results.json"; else flip_byte "$scratch/results.json" $((size * (k - 2) / 7)); fi
    run "$blip" score --references "$scratch/coco/karpathy/coco_karpathy_val.json" --results "$scratch/results.json" --allow-missing
    case $status in
        0) [ $k -ge 3 ] || fail "a truncated file was scored" ;;
        65) says "results.json" ;;
        *) fail "exit $status" ;;
    esac
done
summary
