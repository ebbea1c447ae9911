#!/usr/bin/env bash
# --profile-steps: each rank's Chrome trace of some steps, which changes no bit of the run; places that cannot be written.
in_memory=1
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
draw_sample 24    # 10 steps an epoch
# trace OUTPUT RANK FIRST LAST: the file holds these steps, their forward and backward products, and what called them
trace() {
    local said
    said=$(python3 - "$@" <<'PYTHON' 2>&1
import json, sys
folder, rank, first, last = sys.argv[1], *map(int, sys.argv[2:])
events = json.load(open(f'{folder}/profile_rank{rank}.json'))['traceEvents']
steps = [e for e in events if e.get('cat') == 'user_annotation']
assert [e['name'] for e in steps] == [f'ProfilerStep#{n}' for n in range(first, last + 1)], steps
for step in steps:
    inside = [e for e in events if e.get('cat') == 'cpu_op' and step['ts'] <= e['ts'] <= step['ts'] + step['dur']]
    count = lambda name: sum(e['name'] == name for e in inside)
    layers = sum(e['name'].startswith('torch::autograd::') and 'LinearOfLeaves' in e['name'] for e in inside)
    # forward; backward: of x, of the weight; either of the first two where it is large
    found = {name: count(name) for name in ('aten::addmm', 'aten::mm', 'aten::addmm_', 'mkldnn::_linear_pointwise')}
    addmm, mm, of_weights, by_onednn = found.values()
    assert layers > 20 and addmm + by_onednn >= layers and mm + by_onednn >= 0.9 * layers, (layers, found)
    assert addmm + mm + by_onednn >= 1.9 * layers and of_weights >= layers, (layers, found)
    assert count('aten::_fused_adamw_') >= 1, step
assert any(e['args'].get('Input Dims') for e in events if e.get('name') == 'aten::addmm')
PYTHON
    ) || fail "$(tail -n 3 <<<"$said")"
}

new_case "the steps after two to warm up, on each rank; the bits are those of a run without"
train 2 "$scratch/without" --epochs 1 --no-evaluate --max-steps 6
exits 0
train 2 "$scratch/with" --epochs 1 --no-evaluate --max-steps 6 --profile-steps 2
exits 0
says "steps 3-4: $scratch/with/profile_rank0.json, each rank's in a file of its own"
trace "$scratch/with" 0 3 4
trace "$scratch/with" 1 3 4
says_not ERROR    # Kineto's own words
same_weights "$scratch/with" "$scratch/without"
same_losses 0 "$scratch/with" "$scratch/without"
leaves_nothing_like "$scratch/with/*.tmp.*"
run python3 "$root/env/trace_table.py" "$scratch/with/profile_rank0.json" 100
exits 0; says "operators of the CPU"; says "aten::mm"

new_case "it is no part of what a run is: resumed with it and without, the older file replaced"
train 2 "$scratch/without" --epochs 1 --no-evaluate --profile-steps 100    # to the end of the epoch
exits 0; says "resuming after step 6"; says "steps 9-10: "
trace "$scratch/without" 0 9 10
train 2 "$scratch/with" --epochs 1 --no-evaluate
exits 0
same_weights "$scratch/with" "$scratch/without"
train 2 "$scratch/with" --epochs 2 --profile-steps 1 --dry-run
exits 64; says "epochs: was 1, now 2"; says_not "profile-steps: was"

new_case "a run that ends before has none, and says so"
train 1 "$scratch/short" --epochs 1 --no-evaluate --max-steps 2 --profile-steps 1
exits 0; says "no profile, as the run had 2 steps and the first 2 are left out"
leaves_nothing_like "$scratch/short/profile*"

new_case "a place that cannot be written is told, and the run goes on"
mkdir -p "$scratch/place/profile_rank0.json"
train 2 "$scratch/place" --epochs 1 --no-evaluate --max-steps 6 --profile-steps 2
exits 0; says "warning: --profile-steps: no profile in $scratch/place/profile_rank0.json: "; says "Is a directory"
says "finished after step 6"
trace "$scratch/place" 1 3 4
leaves_nothing_like "$scratch/place/*.tmp.*"

new_case "a disk that fills up leaves no half of it"
below=$scratch/full
run timeout -k 5 240 mpirun -np 1 -x "LD_PRELOAD=$(realpath "$build")/tests/libfile_faults.so" -x "BLIP_FILES_BELOW=$below" \
    -x "BLIP_FILES_FAIL=write,profile_rank,ENOSPC,3" "$blip" train --data "$data" --output "$below" "${small[@]}" --micro-batch 2 \
    --epochs 1 --no-evaluate --max-steps 3 --profile-steps 1
exits 0; says "no profile in $below/profile_rank0.json: it could not be written whole"
leaves_nothing_like "$below/profile*"
summary
