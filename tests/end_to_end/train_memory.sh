#!/usr/bin/env bash
# The memory that a run is predicted to take, against what it took: within memory_prediction of tests/tolerances.h.
# (The base and large presets: tests/bench/memory.sh.)
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
draw_sample 48    # 240 captions: 7 steps of 32 an epoch
limit=$(tolerance memory_prediction)
same=(--threads 1 --loader-threads 1 --no-progress --epochs 1 --checkpoint-minutes 0)
# The vision encoder makes up most of what a step takes, the head little.
middle=(--model tiny --text-hidden 256 --text-intermediate 1024 --vision-width 256 --vision-depth 12 --vision-heads 4 --image-size 256)

# measured RANKS NAME ARGUMENT...: the run's peak is the predicted one
measured() {
    run timeout -k 5 240 mpirun -np "$1" "$blip" train --data "$data" --output "$scratch/$2" "${same[@]}" "${@:3}"
    exits 0
    says "memory of rank 0 at most: "
    log_query "
stop = events[0][-1]
ratio = stop['predicted_peak_memory_bytes'] / stop['peak_memory_bytes']
assert abs(ratio - 1) <= $limit, (ratio, stop)" "$scratch/$2"
}

new_case "tiny, micro-batch 32, an epoch: the logits are most of it"
measured 1 tiny32 --model tiny --global-batch 32 --micro-batch 32 --no-evaluate
new_case "tiny, two ranks with 16 each, a checkpoint on its way to the disk beside each step"
measured 2 tiny16 --model tiny --global-batch 32 --micro-batch 16 --no-evaluate --checkpoint-every 1
new_case "tiny, with the evaluation after the epoch"
measured 1 scored --model tiny --global-batch 32 --micro-batch 32
new_case "tiny in bf16 with fp32 masters"
measured 1 bf16 --model tiny --global-batch 32 --micro-batch 32 --no-evaluate --precision bf16
new_case "twelve blocks of 257 tokens: the vision encoder's activations are most of it"
measured 1 middle "${middle[@]}" --global-batch 8 --micro-batch 8 --max-steps 2 --no-evaluate
new_case "the same with all blocks recomputed"
measured 1 again "${middle[@]}" --global-batch 8 --micro-batch 8 --max-steps 2 --no-evaluate --vit-grad-ckpt --vit-ckpt-layer 12
log_query "
peaks = [e[-1]['peak_memory_bytes'] for e in events]
assert peaks[1] < 0.8 * peaks[0], peaks" "$scratch/middle" "$scratch/again"

new_case "a dry run tells it as a table, and trains nothing"
run "$blip" train --data "$data" --output "$scratch/dry" "${same[@]}" --model tiny --global-batch 32 --micro-batch 32 --dry-run
exits 0
for part in weights gradients "moments of this rank's part" "batches read ahead" "more for a training step" "at most at once"; do
    says "$part"
done
says_not "warning"
[ ! -e "$scratch/dry" ] || fail "it wrote"

new_case "more than this host has: told before anything is allocated"
run "$blip" train --data "$data" --output "$scratch/dry" "${same[@]}" --model large --image-size 2048 --global-batch 240 --micro-batch 240 --dry-run
exits 0; says "warning"; says "are available: use a smaller --micro-batch"
summary
