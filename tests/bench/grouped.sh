#!/usr/bin/env bash
# What --captions-per-picture saves: the base preset with 4 pictures of 5 captions a step against 20 captions with a
# picture each, in turn, and the ratio of their pairs/s. Called by `make bench`.
# shellcheck source=tests/support/bench_lib.sh
. "$(dirname "$0")/../support/bench_lib.sh"
draw_pictures 40

# steps NAME CAPTIONS_PER_PICTURE
steps() {
    quietly mpirun -np 1 "$build/bin/blip_mpi" train --data "$scratch/data.h5" --output "$scratch/$1" --model base --global-batch 20 \
        --micro-batch 20 --captions-per-picture "$2" --max-steps 3 --checkpoint-minutes 0 --no-evaluate --no-progress \
        --no-report --no-peak
}
for turn in 1 2; do
    steps "alone-$turn" 1
    steps "grouped-$turn" 5
done
python3 - "$scratch" <<'PYTHON'
import json, statistics, sys
def read(name):
    records = [json.loads(line) for turn in (1, 2) for line in open(f'{sys.argv[1]}/{name}-{turn}/log.jsonl')]
    steps = [r for r in records if r['kind'] == 'step' and r['step'] > 1]
    return steps, max(r['peak_memory_bytes'] for r in records if r['kind'] == 'stop')
speed = {}
for name, words in (('alone', '20 captions with a picture each'), ('grouped', '4 pictures with 5 captions each')):
    steps, peak = read(name)
    ms = {k: statistics.median(r[k + '_ms'] for r in steps) for k in ('step', 'forward', 'backward', 'update')}
    speed[name] = 20000 / ms['step']
    print(f"base  {words}: {speed[name]:6.3f} pairs/s  {ms['step']:7.0f} ms a step (forward {ms['forward']:.0f}  backward "
          f"{ms['backward']:.0f}  update {ms['update']:.0f})  peak {peak / 2**30:.2f} GiB")
print(f"grouped over alone: {speed['grouped'] / speed['alone']:.2f} times the pairs/s")
PYTHON
