#!/usr/bin/env bash
# What self-critical training does to the demo's model: CIDEr, Bleu_4, bad endings and words of the test split's captions
# before and after, and what rewards cost, for each of SEEDS. Called by `make bench`; needs what `make demo` leaves.
# EPOCHS, RATE, WARMUP: of the training (a rate that rises over so many steps and falls to RATE_END).
# shellcheck source=tests/support/bench_lib.sh
. "$(dirname "$0")/../support/bench_lib.sh"
needs_demo out/best
make_scratch
seeds=${SEEDS:-1 2 3}
for seed in $seeds; do
    quietly mpirun -np 2 "$build/bin/blip_mpi" train --config jobs/self_critical.cfg --data "$demo/sample.h5" --init "$demo/out/best" \
        --output "$scratch/$seed" --global-batch 80 --epochs "${EPOCHS:-7}" --init-lr "${RATE:-2e-4}" --min-lr "${RATE_END:-1e-6}" \
        --warmup-steps "${WARMUP:-40}" --augment off --threads 1 --seed "$seed" --no-progress --no-report --no-peak
done
quietly mpirun -np 2 "$build/bin/blip_mpi" evaluate --config jobs/demo.cfg --data "$demo/sample.h5" --init "$demo/out/best" --split test \
    --threads 1 --no-progress --output "$scratch/before"
# shellcheck disable=SC2086
python3 - "$scratch" $seeds <<'PYTHON'
import glob, json, statistics, sys
folder, seeds = sys.argv[1], sys.argv[2:]
BAD = set('a an the in for at of with before after on upon near to is are am'.split())
def row(name, scores, results, more=''):
    captions = [r['caption'].split() for r in json.load(open(results))]
    bad = sum(bool(c) and c[-1] in BAD for c in captions) / len(captions)
    print(f"{name:<17} CIDEr {scores['CIDEr']:.4f}  Bleu_4 {scores['Bleu_4']:.4f}  bad endings {bad:.2%}  "
          f"words {statistics.mean(map(len, captions)):.2f}{more}")
row('before', json.load(open(f'{folder}/before/evaluate.json'))['splits']['test']['scores'], f'{folder}/before/result/test.json')
for seed in seeds:
    steps = {r['step']: r for r in map(json.loads, open(f'{folder}/{seed}/log.jsonl')) if r['kind'] == 'step'}.values()
    time = sum(r['step_ms'] for r in steps)
    share = sum(r['reward_ms'] for r in steps) / (2 * time)
    best = json.load(open(f'{folder}/{seed}/best/config.json'))['note']['epoch']    # chosen on val
    for epoch in range(len(glob.glob(f'{folder}/{seed}/evaluations/epoch-*.json'))):
        record = json.load(open(f'{folder}/{seed}/evaluations/epoch-{epoch}.json'))
        row(f'{seed}, epoch {epoch + 1}' + ' (best)' * (epoch == best), record['splits']['test']['scores'], f'{folder}/{seed}/result/test_epoch{epoch}.json')
    print(f'{seed}: {time / 1000:.0f} s of steps, rewards {share:.2%} of them')
PYTHON
