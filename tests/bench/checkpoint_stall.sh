#!/usr/bin/env bash
# What a checkpoint costs training: the stall of each save, as a share of a step and of a minute, and how much slower the
# steps are meanwhile. Called by `make bench` for the tiny preset; the base preset takes some minutes and 8 GiB:
#   tests/bench/checkpoint_stall.sh base
# shellcheck source=tests/support/bench_lib.sh
. "$(dirname "$0")/../support/bench_lib.sh"
draw_pictures 80 "${STALL_DIR:-}"    # STALL_DIR: on the file system that is to be measured

# run NAME PRESET RANKS GLOBAL MICRO STEPS EVERY
run() {
    quietly mpirun -np "$3" "$build/bin/blip_mpi" train --data "$scratch/data.h5" --output "$scratch/$1" --model "$2" \
        --global-batch "$4" --micro-batch "$5" --max-steps "$6" --checkpoint-every "$7" --checkpoint-minutes 0 --epochs 20 \
        --no-evaluate --no-progress
}
# row PRESET RANKS GLOBAL MICRO STEPS EVERY: a run without checkpoints but its last one, and one with
row() {
    rm -rf "$scratch/without" "$scratch/with"
    run without "${@:1:5}" 0
    run with "$@"
    python3 - "$1" "$2" "$6" "$scratch/without/log.jsonl" "$scratch/with/log.jsonl" <<'PYTHON'
import json, statistics, sys
preset, ranks, every, *paths = sys.argv[1:]
without, having = ([json.loads(line) for line in open(path)] for path in paths)
def step_ms(records):
    return [r['step_ms'] for r in records if r['kind'] == 'step'][2:]
saves = [r for r in having if r['kind'] == 'checkpoint'][:-1]    # the last one ends the run: nothing waits for it
assert saves and all(s['saved'] for s in saves), saves
stall = statistics.median(s['stall_s'] for s in saves)
plain = statistics.median(step_ms(without))
slower = max(0.0, statistics.mean(step_ms(having)) - statistics.mean(step_ms(without))) * int(every)
print(f"{preset:5} {ranks} ranks: {saves[0]['bytes'] / 2**20:7.1f} MiB every {every} steps of {plain:7.0f} ms; stall {stall * 1000:6.1f} ms a save "
      f"(worst {max(s['stall_s'] for s in saves) * 1000:.1f}), {100 * stall * 1000 / plain:5.1f} % of a step, written in {statistics.median(s['write_s'] for s in saves):.2f} s; "
      f"steps slower by {slower:.0f} ms a save; one a minute: {100 * stall / 60:.3f} % stalled (goal 1 %)")
PYTHON
}
case ${1:-tiny} in
    tiny)
        row tiny 1 32 16 41 5
        row tiny 2 32 16 41 5
        ;;
    base) row base 1 4 4 9 2 ;;
    *)
        echo "usage: tests/bench/checkpoint_stall.sh [tiny|base]" >&2
        exit 64
        ;;
esac
