#!/usr/bin/env bash
# Training steps of the real program on one and two ranks: pairs/s, memory and where the time goes. Called by `make bench`.
# The base preset (ViT-B/16 at 384, BERT-base) with 4 captions a step, and the tiny preset with 32.
# shellcheck source=tests/support/bench_lib.sh
. "$(dirname "$0")/../support/bench_lib.sh"
draw_pictures 40

# row PRESET RANKS GLOBAL MICRO STEPS
row() {
    local out=$scratch/$1-$2
    quietly mpirun -np "$2" "$build/bin/blip_mpi" train --data "$scratch/data.h5" --output "$out" --model "$1" --global-batch "$3" \
        --micro-batch "$4" --max-steps "$5" --checkpoint-minutes 0 --no-evaluate --no-progress
    python3 - "$1" "$2" "$3" "$4" "$out/log.jsonl" <<'PYTHON'
import json, statistics, sys
preset, ranks, batch, micro, path = sys.argv[1:]
records = [json.loads(line) for line in open(path)]
steps = [r for r in records if r['kind'] == 'step'][1:]
peak = next(r['peak_memory_bytes'] for r in reversed(records) if r['kind'] == 'stop')
ms = {k: statistics.median(r[k + '_ms'] for r in steps) for k in ('step', 'data', 'forward', 'backward', 'reduce', 'update')}
split = '  '.join(f'{k} {v:7.0f}' for k, v in ms.items() if k != 'step')
print(f"{preset:5} {ranks} ranks, {batch:>2} captions a step in micro-batches of {micro:>2}: {1000 * int(batch) / ms['step']:7.2f} pairs/s  "
      f"{ms['step']:7.0f} ms a step ({split})  peak {peak / 2**30:.2f} GiB on rank 0")
PYTHON
}
row base 1 4 4 4
row base 2 4 2 4
row tiny 1 32 16 21
row tiny 2 32 16 21
