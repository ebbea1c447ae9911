#!/usr/bin/env bash
# What the thread costs that makes page, table, TensorBoard's files and Prometheus' text: the time of a training step
# with all of them and with none, in turns, tiny and base preset. Called by `make bench`.
# shellcheck source=tests/support/bench_lib.sh
. "$(dirname "$0")/../support/bench_lib.sh"
draw_pictures 300 # an epoch of tiny takes some 15 s, which is short: the page is made after each

# step_ms PRESET STEPS OPTIONS...: the mean of the steps behind the second
step_ms() {
    local preset=$1 steps=$2
    rm -rf "$scratch/out"
    mpirun -np 1 "$build/bin/blip_mpi" train --data "$scratch/data.h5" --output "$scratch/out" --model "$preset" --global-batch 4 \
        --micro-batch 4 --max-steps "$steps" --epochs 9 --checkpoint-minutes 0 --no-progress --no-peak "${@:3}" >"$scratch/log" 2>&1 ||
        { cat "$scratch/log" && exit 1; }
    python3 - "$scratch/out/log.jsonl" <<'PYTHON'
import json, sys
records = [json.loads(line) for line in open(sys.argv[1])]
steps = [r['step_ms'] for r in records if r['kind'] == 'step'][2:]
print(sum(steps) / len(steps))
PYTHON
}
for run in "tiny 600" "base 5"; do
    read -r preset steps <<<"$run"
    for _ in 1 2 3; do
        echo "$(step_ms "$preset" "$steps" --metrics-file "$scratch/run.prom") $(step_ms "$preset" "$steps" --no-report --no-tensorboard)"
    done | python3 -c '
import statistics, sys
turns = [list(map(float, line.split())) for line in sys.stdin]
ratios = sorted(one / other for one, other in turns)
everything, nothing = (statistics.median(column) for column in zip(*turns))
print(f"{sys.argv[1]}  a step with all {everything:.1f} ms, with none {nothing:.1f} ms (medians of {len(turns)}); "
      f"ratios of turns {ratios[0]:.3f} to {ratios[-1]:.3f}, median {statistics.median(ratios):.3f}")' "$preset"
done
