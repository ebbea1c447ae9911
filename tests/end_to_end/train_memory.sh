#!/usr/bin/env bash
# test: limit=240
# What a run tells of itself before and at its beginning: the memory that it holds, exactly; by --dry-run --measure the
# memory and time of the longest micro-batch; after ten steps when it will end, and its share of the matrix peak.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
draw_sample 48    # 240 captions: 7 steps of 32 an epoch
limit=$(tolerance measured_memory)
longest=$(sed -nE 's/.* at most ([0-9]+).*/\1/p' "$scratch/.drawn" | head -1)
same=(--model tiny --threads 1 --loader-threads 1 --no-progress --epochs 3 --global-batch 32 --micro-batch 16 --no-evaluate)
dry() { run timeout -k 5 120 mpirun -np "$1" "$blip" train --data "$data" --output "$scratch/dry" "${same[@]}" --dry-run "${@:2}"; }

# parts of fp32: each as told, over the weights'
parts() {
    python3 - "$output" <<'PYTHON'
import re, sys
sizes = {}
for size, unit, what in re.findall(r"^ +([\d.]+) ([KMG])iB  (.*)$", open(sys.argv[1]).read(), re.M):
    sizes[what] = float(size) * {"K": 1, "M": 1024, "G": 1024**2}[unit]
print(" ".join(f"{what}={size / sizes['weights']:.2f}" for what, size in sizes.items()))
PYTHON
}

new_case "a dry run tells what one rank holds, part by part, and writes nothing"
dry 1
exits 0; says "model tiny: 5.45 M parameters"
[ "$(parts)" = "weights=1.00 gradients=1.00 moments of this rank's part=2.00 a checkpoint's copy of this rank's weights and moments=3.00" ] || fail "$(parts)"
[ ! -e "$scratch/dry" ] || fail "it wrote"
says_not warning; says_not measured

new_case "of two ranks each holds half of the moments, and what the other sends"
dry 2
exits 0
[ "$(parts)" = "weights=1.00 gradients=1.00 moments of this rank's part=1.00 gradients received from other ranks=0.50 a checkpoint's copy of this rank's weights and moments=1.50" ] || fail "$(parts)"

new_case "more than this host has is told before anything is allocated"
run "$blip" train --data "$data" --output "$scratch/dry" "${same[@]}" --model large --text-layers 1000 --dry-run
exits 0; says "warning"; says "are available: use fewer ranks on a host, or a smaller model"

# measured RANKS: the memory that --measure tells is what a run takes
measured() {
    dry "$1" --measure
    exits 0; says "measured: a micro-batch of 16 captions of up to $longest tokens takes"
    says "21 steps take"
    [ ! -e "$scratch/dry" ] || fail "it wrote"
    local told
    told=$(sed -nE 's/.*measured: a step takes ([0-9.]+) MiB of memory a rank.*/\1/p' "$output")
    run timeout -k 5 240 mpirun -np "$1" "$blip" train --data "$data" --output "$scratch/run$1" "${same[@]}" --max-steps 3 --checkpoint-minutes 0
    exits 0
    log_query "
stop = events[0][-1]
ratio = $told * 2**20 / stop['peak_memory_bytes']
assert abs(ratio - 1) <= $limit, (ratio, stop)" "$scratch/run$1"
}
new_case "--measure on one rank"
measured 1
new_case "--measure on two ranks"
measured 2
new_case "more ranks than micro-batches: one has nothing to do"
dry 3 --measure
exits 0; says "measured: a step takes"
new_case "--measure goes with --dry-run"
run "$blip" train --data "$data" --output "$scratch/dry" "${same[@]}" --measure
exits 64; says "--measure goes with --dry-run"

new_case "after ten steps: when it will end, and the share of the matrix peak"
run timeout -k 5 240 mpirun -np 2 "$blip" train --data "$data" --output "$scratch/pace" "${shape[@]}" --threads 1 --no-progress --no-evaluate --global-batch 12 --micro-batch 6 --max-steps 14
exits 0; says "of the matrix peak measured at start"; says "the remaining 4 steps end in"
log_query "
pace, = [e for e in events[0] if e.get('kind') == 'pace']
assert pace['step'] == 10 and 0 < pace['peak_share'] < 1, pace
assert abs(pace['peak_share'] * pace['peak_flops'] * pace['step_s'] / pace['step_flops'] - 1) < 1e-9, pace
assert abs(pace['left_s'] / pace['step_s'] - 4) < 1e-9, pace" "$scratch/pace"
new_case "without the peak, and resumed: ten steps of its own"
run timeout -k 5 240 "$blip" train --data "$data" --output "$scratch/pace" "${shape[@]}" --threads 1 --no-progress --no-evaluate --global-batch 12 --micro-batch 6 --max-steps 26 --no-peak
exits 0; says "s a step"; says_not "matrix peak"
log_query "
first, second = [e for e in events[0] if e.get('kind') == 'pace']
assert second['step'] == 24 and 'peak_share' not in second, second" "$scratch/pace"
summary
