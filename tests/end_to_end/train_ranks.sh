#!/usr/bin/env bash
# test: quick
# The number of ranks does not show in the result: losses of 1, 2, 3, 4 and 8 ranks, and of a run that goes on with
# another number of ranks in mid-epoch.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
draw_sample 24    # 120 captions: 10 steps an epoch
limit=$(tolerance loss_over_ranks)

new_case "one rank: 20 steps with dropout"
train 1 "$scratch/np1" --epochs 2 --no-evaluate
exits 0
log_query "assert sorted(logs[0]) == list(range(1, 21)), sorted(logs[0])
assert logs[0][20]['loss'] < logs[0][1]['loss'] - 0.5, (logs[0][1]['loss'], logs[0][20]['loss'])" "$scratch/np1"
for np in 2 3 4; do
    new_case "$np ranks: the same 20 losses and token counts"
    train $np "$scratch/np$np" --epochs 2 --no-evaluate
    exits 0
    same_losses "$limit" "$scratch/np$np" "$scratch/np1"
done

new_case "the masks and the order do matter: another seed has other losses"
train 2 "$scratch/seed" --epochs 1 --no-evaluate --seed 7
exits 0
log_query "assert all(abs(r['loss'] / logs[1][s]['loss'] - 1) > $limit for s, r in logs[0].items())" "$scratch/seed" "$scratch/np1"

# 7 steps on 2 ranks, then to the end on 3.
new_case "going on in mid-epoch with 3 ranks instead of 2: the same samples and masks"
train 2 "$scratch/more" --epochs 2 --no-evaluate --max-steps 7
exits 0
train 3 "$scratch/more" --epochs 2 --no-evaluate
exits 0; says "resuming after step 7"; says "ranks: was 2, now 3"
same_losses "$limit" "$scratch/more" "$scratch/np1"

new_case "without dropout other micro-batches and buckets may join in"
train 2 "$scratch/plain" --epochs 2 --no-evaluate --dropout 0
exits 0
train 2 "$scratch/other" --epochs 2 --no-evaluate --dropout 0 --max-steps 7
exits 0
micro=3 train 3 "$scratch/other" --epochs 2 --no-evaluate --dropout 0 --bucket-mb 0.5
exits 0; says "resuming after step 7"
same_losses "$limit" "$scratch/other" "$scratch/plain"

new_case "eight ranks on however few cores finish an epoch of the tiny preset"
run timeout -k 5 300 mpirun -np 8 --oversubscribe "$blip" train --data "$data" --output "$scratch/np8" --model tiny \
    --epochs 1 --global-batch 60 --micro-batch 6 --init-lr 1e-3
exits 0
says "finished after step 2"
is "$(find "$(last_checkpoint "$scratch/np8")" -name 'shard-*-of-00008.safetensors' | wc -l)" 8 "shards"
[ -s "$scratch/np8/evaluations/epoch-0.json" ] || fail "no evaluation"
summary
