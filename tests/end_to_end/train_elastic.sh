#!/usr/bin/env bash
# The number of ranks and --micro-batch change in mid-epoch, 4 -> 2 -> 1 -> 3 ranks: every sample of each epoch is trained
# exactly once (from the rows that the ranks report), and the losses are those of an undisturbed run, dropout and
# stochastic depth included.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
draw_sample 24    # 120 captions: 10 steps an epoch, nothing dropped
options=(--epochs 2 --no-evaluate --dropout 0.1 --drop-path 0.2 --log-sample-ids)
limit=$(tolerance loss_over_ranks)

new_case "a run of two ranks from beginning to end"
train 2 "$scratch/constant" "${options[@]}"
exits 0

# Cut after steps 3, 6, 13: twice within the first epoch, once within the second.
new_case "4 -> 2 -> 1 -> 3 ranks in mid-epoch, each with micro-batches of its own: each step's losses"
train 4 "$scratch/elastic" "${options[@]}" --micro-batch 3 --max-steps 3
exits 0
train 2 "$scratch/elastic" "${options[@]}" --micro-batch 1 --max-steps 6
exits 0; says "resuming after step 3"; says "micro-batch: was 3, now 1; ranks: was 4, now 2"
train 1 "$scratch/elastic" "${options[@]}" --micro-batch 12 --max-steps 13
exits 0; says "resuming after step 6"; says "ranks: was 2, now 1"
train 3 "$scratch/elastic" "${options[@]}"
exits 0; says "resuming after step 13"; says "ranks: was 1, now 3"; says "finished after step 20"
same_losses "$limit" "$scratch/elastic" "$scratch/constant"

new_case "every sample of each epoch exactly once, step by step those of the constant run"
log_query "
def by_step(records):
    return {r['step']: r for r in records if r['kind'] == 'samples'}
elastic, constant = by_step(events[0]), by_step(events[1])
assert sorted(elastic) == sorted(constant) == list(range(1, 21)), sorted(elastic)
assert len([r for r in events[0] if r['kind'] == 'samples']) == 20, 'a step was logged twice'
for epoch in 0, 1:
    rows = [row for r in elastic.values() if r['epoch'] == epoch for row in r['rows']]
    assert sorted(rows) == list(range(120)), (epoch, len(rows), len(set(rows)))
for step in elastic:
    assert elastic[step]['rows'] == constant[step]['rows'], step
assert elastic[1]['rows'] != elastic[11]['rows'], 'both epochs in one order'" "$scratch/elastic" "$scratch/constant"

new_case "ids are logged only when asked for"
train 2 "$scratch/plain" --epochs 1 --no-evaluate --max-steps 2
exits 0
log_query "assert not [r for r in events[0] if r['kind'] == 'samples']" "$scratch/plain"
summary
