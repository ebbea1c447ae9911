#!/usr/bin/env bash
# test: quick
# Pictures with several captions each (--captions-per-picture): the same run on any number of ranks, killed and resumed
# to the bit; what an epoch is; batches that do not fit.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
draw_sample 24    # 24 pictures with 5 captions each: with 3 of each and 4 pictures a step, 6 steps an epoch
limit=$(tolerance loss_over_ranks)
export micro=3

new_case "an epoch has every picture once, with captions drawn anew"
train 1 "$scratch/np1" --epochs 3 --no-evaluate --captions-per-picture 3 --log-sample-ids
exits 0; says "an epoch: 24 pictures with 72 captions, 3 at most of each; 4 pictures a step"; says "6 steps an epoch"
log_query "assert sorted(logs[0]) == list(range(1, 19)), sorted(logs[0])
rows = {}
for e in events[0]:
    if e['kind'] == 'samples': rows.setdefault(e['epoch'], []).extend(e['rows'])
for epoch in rows.values():
    assert len(set(epoch)) == 72, len(set(epoch))
    assert sorted(row // 5 for row in epoch) == [i for i in range(24) for _ in range(3)], epoch
assert set(rows[0]) != set(rows[1]) and rows[0] != rows[1]
assert all(r['samples'] == 12 for r in logs[0].values())
assert logs[0][18]['loss'] < logs[0][1]['loss'] - 0.5, (logs[0][1]['loss'], logs[0][18]['loss'])" "$scratch/np1"
for np in 2 3 4; do
    new_case "$np ranks: the same losses"
    train $np "$scratch/np$np" --epochs 3 --no-evaluate --captions-per-picture 3
    exits 0
    same_losses "$limit" "$scratch/np$np" "$scratch/np1"
done

new_case "micro-batches of other sizes change rounding alone"
micro=6 train 2 "$scratch/micro" --epochs 3 --no-evaluate --captions-per-picture 3
exits 0
same_losses "$limit" "$scratch/micro" "$scratch/np1"

new_case "killed within an epoch and resumed: the same bytes"
start_train 2 "$scratch/killed" --epochs 3 --no-evaluate --captions-per-picture 3 --checkpoint-every 2
wait_for 120 whole_checkpoint "$scratch/killed" 8
# shellcheck disable=SC2046
kill -9 $(ranks_of "$job") "$job" 2>/dev/null
finish_job
train 2 "$scratch/killed" --epochs 3 --no-evaluate --captions-per-picture 3 --checkpoint-every 2
exits 0; says "resuming after step"
same_weights "$scratch/killed" "$scratch/np2"

new_case "other captions per picture are another run"
train 2 "$scratch/np2" --epochs 3 --no-evaluate --captions-per-picture 1
exits 64; said_once "captions-per-picture: was 3, now 1"

new_case "more places than captions: all of a picture's own, and a warning"
micro=6 train 2 "$scratch/more" --epochs 1 --no-evaluate --captions-per-picture 6
exits 0; says "24 pictures with 120 captions"; says "no picture has more than 5 captions"
log_query "assert all(r['samples'] == 10 for r in logs[0].values()), logs[0]" "$scratch/more"

new_case "batches of no whole pictures are refused with values that fit"
train 2 "$scratch/refused" --captions-per-picture 5
exits 64; said_once "--captions-per-picture 5 needs batches of whole pictures"; says "--global-batch 10 --micro-batch 5 would do"
micro=25 train 2 "$scratch/refused" --captions-per-picture 5 --global-batch 125
exits 64; said_once "--global-batch 125 is larger than the 120 captions there are, 5 of 24 pictures; --global-batch 100 would fit"
leaves_nothing_like "$scratch/refused*"
summary
