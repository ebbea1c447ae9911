#!/usr/bin/env bash
# What the thread costs that makes page, table, TensorBoard's files and Prometheus' text: its share of the run's processor
# time, tiny and base preset, with everything that can be on. (Times of steps with and without differ by more between
# two turns.) Called by `make bench`.
# shellcheck source=tests/support/bench_lib.sh
. "$(dirname "$0")/../support/bench_lib.sh"
draw_pictures 100 # an epoch of tiny is 125 steps, some seconds, which is short: the page is made after each
for run in "tiny 1500" "base 6"; do
    read -r preset steps <<<"$run"
    rm -rf "$scratch/out"
    mpirun -np 1 "$build/bin/blip_mpi" train --data "$scratch/data.h5" --output "$scratch/out" --model "$preset" --global-batch 4 \
        --micro-batch 4 --max-steps "$steps" --epochs 12 --limit 4 --checkpoint-minutes 0 --no-progress --no-peak --trace \
        --metrics-file "$scratch/run.prom" >"$scratch/log" 2>&1 &
    python3 - "$scratch/out" "$preset" $! <<'PYTHON' || { cat "$scratch/log" && exit 1; }
import json, pathlib, sys, time
output, preset, mpirun = sys.argv[1:]
def rank():    # the process of this run that is not mpirun
    for folder in pathlib.Path('/proc').glob('[0-9]*'):
        try:
            words = (folder / 'cmdline').read_bytes().split(b'\0')
        except OSError:
            continue
        if output.encode() in words and words[0].split(b'/')[-1].startswith(b'blip_mpi'):
            return folder
process, times = None, {}
while pathlib.Path(f'/proc/{mpirun}/stat').exists() and open(f'/proc/{mpirun}/stat').read().rsplit(')', 1)[1].split()[0] != 'Z':
    process = process or rank()
    for stat in process.glob('task/*/stat') if process else ():
        try:
            nice, on_cpu_ns = stat.read_text().rsplit(')', 1)[1].split()[16], (stat.parent / 'schedstat').read_text().split()[0]
        except OSError:
            continue
        times[stat.parent.name] = (nice == '19', int(on_cpu_ns) * 1e-9)
    time.sleep(0.1)
views, whole = (sum(s for of_views, s in times.values() if of_views or everything) for everything in (False, True))
records = [json.loads(line) for line in open(f'{output}/log.jsonl')]
steps = [r['step_ms'] for r in records if r['kind'] == 'step']
evaluations = sum(r['kind'] == 'evaluation' for r in records)
print(f'{preset:<5} {len(steps)} steps of {sum(steps[2:]) / len(steps[2:]):.0f} ms, {evaluations} evaluations, {whole:.1f} s of processor time: '
      f'{views:.3f} s for views, {views / whole:.3%}')
assert steps and views > 0
PYTHON
    wait
done
