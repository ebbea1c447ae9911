#!/usr/bin/env bash
# What --captions-per-picture does to captions: the demo's training with a picture for each caption, with five captions of a
# picture and as many captions a step, and with five captions and as many pictures a step; for each of SEEDS, after as many
# epochs and after so many that it takes about as long. Called by `make bench` (half an hour); needs what `make demo` leaves.
# shellcheck source=tests/support/bench_lib.sh
. "$(dirname "$0")/../support/bench_lib.sh"
needs_demo sample.h5
make_scratch
seeds=${SEEDS:-1 2 3}
train() { # NAME EPOCHS OPTION...: its steps' time, and the test split's scores by the weights that are best on val, into rows
    for seed in $seeds; do
        rm -rf "$scratch/out"
        quietly mpirun -np 2 "$build/bin/blip_mpi" train --config jobs/demo.cfg --data "$demo/sample.h5" --output "$scratch/out" --seed "$seed" \
            --epochs "$2" --threads 1 --no-progress --no-report --no-peak "${@:3}"
        python3 - "$scratch/out" "$1" "$2" <<'PYTHON' >>"$scratch/rows"
import json, sys
records = list(map(json.loads, open(f'{sys.argv[1]}/log.jsonl')))
best = json.load(open(f'{sys.argv[1]}/best/config.json'))['note']['epoch']
scores = next(r['splits']['test']['scores'] for r in records if r['kind'] == 'evaluation' and r['epoch'] == best)
print(sys.argv[2], sys.argv[3], sum(r['step_ms'] for r in records if r['kind'] == 'step') / 1000, scores['Bleu_4'], scores['CIDEr'], sep='\t')
PYTHON
    done
}
few=(--global-batch 20 --micro-batch 10) many=(--global-batch 100 --micro-batch 50)
train "20 captions with a picture each" 4 "${few[@]}"
for epochs in 4 5; do train "4 pictures with 5 captions" $epochs "${few[@]}" --captions-per-picture 5; done
for epochs in 4 7; do train "20 pictures with 5 captions" $epochs "${many[@]}" --captions-per-picture 5; done
python3 - "$scratch/rows" <<'PYTHON'
import collections, statistics, sys
rows = collections.defaultdict(list)
for line in open(sys.argv[1]):
    name, epochs, *figures = line.rstrip('\n').split('\t')
    rows[name, epochs].append(list(map(float, figures)))
print(f"{'a step':<33}epochs  seconds  Bleu_4 (lowest to highest)  CIDEr (lowest to highest)")
for (name, epochs), figures in rows.items():
    time, bleu, cider = zip(*figures)
    print(f'{name:<33}{epochs:<6}  {statistics.mean(time):<7.0f}  {statistics.mean(bleu):.3f} ({min(bleu):.3f} to {max(bleu):.3f})'
          f'      {statistics.mean(cider):.2f} ({min(cider):.2f} to {max(cider):.2f})')
PYTHON
