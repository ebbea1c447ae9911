#!/usr/bin/env bash
# test: quick
# Self-critical training (--objective self-critical): the same run on any number of ranks, killed and resumed to the bit,
# what its log tells, and settings that cannot work.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
draw_sample 24
limit=$(tolerance self_critical_over_ranks)
export micro=12
train 1 "$scratch/start" --epochs 20 --no-evaluate --init-lr 3e-3 # captions with words that earn something
[ "$status" -eq 0 ] || { cat "$output"; echo "0 passed, 1 failed, 0 skipped"; exit 1; }
export micro=3
learn=(--objective self-critical --samples-per-picture 3 --init "$(last_checkpoint "$scratch/start")" --dropout 0
    --min-lr 1e-4 --init-lr 1e-4 --epochs 2)

new_case "an epoch has every picture once, and the log tells of its samples"
train 1 "$scratch/np1" "${learn[@]}" --limit 2
exits 0; says "6 steps an epoch"; says "self-critical, 3 multinomial samples"; says "24 pictures, 3 captions drawn of each; 4 pictures a step"
log_query "assert sorted(logs[0]) == list(range(1, 13)), sorted(logs[0])
for r in logs[0].values():
    assert 0 < r['reward'] < 10 and r['reward_spread'] > 0 and r['advantage_spread'] > 0, r
    assert 0 <= r['without_end'] <= 1 and 0 <= r['bad_endings'] <= 1 and 1/3 <= r['distinct_captions'] <= 1, r
    assert 1 <= r['sample_length'] <= 16 and 0 < r['reward_ms'] < r['step_ms'], r
assert 'mean of the others' in events[0][1]['signature'], events[0][:2]" "$scratch/np1"
grep -q '"signature"' "$scratch/np1/evaluations/epoch-0.json" || fail "the evaluation lacks the signature"
for np in 2 3; do
    new_case "$np ranks: the same rewards and losses"
    train $np "$scratch/np$np" "${learn[@]}" --no-evaluate
    exits 0
    log_query "for step, r in logs[0].items():
    other = logs[1][step]
    for name in ('loss', 'reward', 'reward_spread', 'advantage_spread', 'sample_length', 'without_end', 'distinct_captions'):
        assert abs(r[name] - other[name]) <= $limit * max(1, abs(other[name])), (step, name, r[name], other[name])" \
        "$scratch/np$np" "$scratch/np1"
done

new_case "killed within an epoch and resumed: the same bytes"
start_train 2 "$scratch/killed" "${learn[@]}" --no-evaluate --checkpoint-every 2
wait_for 120 whole_checkpoint "$scratch/killed" 8
# shellcheck disable=SC2046
kill -9 $(ranks_of "$job") "$job" 2>/dev/null
finish_job
train 2 "$scratch/killed" "${learn[@]}" --no-evaluate --checkpoint-every 2
exits 0; says "resuming after step"
same_weights "$scratch/killed" "$scratch/np2"

new_case "another reward, baseline or number of samples is another run"
train 2 "$scratch/np2" "${learn[@]}" --no-evaluate --reward cider=1,bleu4=1 --baseline greedy --max-length 12
exits 64; said_once "reward: was cider=1,bleu4=0, now cider=1,bleu4=1"; says "baseline: was others, now greedy"
says "now self-critical with at most 12 tokens"

new_case "--cider-df: the reward by frequencies from a file"
run "$blip" score --references "$data" --split train --write-cider-df "$scratch/df.json" --end-token
exits 0
head -1 "$scratch/df.json" >"$scratch/first_line"
is "$(cat "$scratch/first_line")" '{"documents": 24, "end_token": "[SEP]", "split": "train", "df": {'
# those of the training split are what is counted without a file: the same run, but for its name
train 2 "$scratch/given" "${learn[@]}" --no-evaluate --cider-df "$scratch/df.json" --checkpoint-every 2
exits 0; says "document frequencies of 24 pictures, digest"
same_weights "$scratch/given" "$scratch/np2"
mv "$scratch/df.json" "$scratch/moved.json"
train 2 "$scratch/given" "${learn[@]}" --no-evaluate --cider-df "$scratch/moved.json" --checkpoint-every 2
exits 0; says "nothing left to do"
sed 's/"documents": 24/"documents": 240/' "$scratch/moved.json" >"$scratch/others.json"
train 2 "$scratch/given" "${learn[@]}" --no-evaluate --cider-df "$scratch/others.json" --checkpoint-every 2
exits 64; said_once "cider-df: was of digest"
train 2 "$scratch/by_others" "${learn[@]}" --no-evaluate --cider-df "$scratch/others.json" --max-steps 1
exits 0
log_query "assert logs[0][1]['reward'] > 1.2 * logs[1][1]['reward'], (logs[0][1], logs[1][1])" "$scratch/by_others" "$scratch/np2"
run "$blip" score --references "$data" --split val --write-cider-df "$scratch/val.json" --end-token
train 2 "$scratch/refused" "${learn[@]}" --cider-df "$scratch/val.json"
exits 65; said_once "val.json: is of the split val"
run "$blip" score --references "$data" --split train --write-cider-df "$scratch/plain.json"
train 2 "$scratch/refused" "${learn[@]}" --cider-df "$scratch/plain.json"
exits 65; said_once "plain.json: counts captions without their end token"
train 2 "$scratch/refused" "${learn[@]}" --cider-df "$scratch/absent.json"
exits 66; says "absent.json"
leaves_nothing_like "$scratch/refused*"

new_case "the greedy caption as baseline, BLEU in the reward"
train 2 "$scratch/greedy" "${learn[@]}" --no-evaluate --baseline greedy --reward bleu4=1 --max-steps 2
exits 0; says "baseline greedy, reward cider=0,bleu4=1"

new_case "--kl keeps the weights near their start, and a killed run has the same bytes"
train 2 "$scratch/near" "${learn[@]}" --no-evaluate --kl 100 --checkpoint-every 2
exits 0; says ", kl 100"
# nothing parts them at the first step
log_query "assert abs(logs[0][1]['kl']) < 1e-5 and all(0 < logs[0][s]['kl'] < 1 for s in range(2, 13)), [logs[0][s]['kl'] for s in range(1, 13)]
assert 'kl' not in logs[1][1]" "$scratch/near" "$scratch/np2"
# how far the weights went, from the start, without --kl and with it
run python3 - "$(last_checkpoint "$scratch/start")" "$(last_checkpoint "$scratch/np2")" "$(last_checkpoint "$scratch/near")" "$blip" "$scratch" <<'PYTHON'
import json, struct, subprocess, sys
*runs, blip, scratch = sys.argv[1:]
def values(run):
    subprocess.run([blip, 'export', '--from', run, '--to', f'{scratch}/weights.safetensors', '--overwrite'], check=True, capture_output=True)
    data = open(f'{scratch}/weights.safetensors', 'rb').read()
    begin = 8 + struct.unpack('<Q', data[:8])[0]
    return struct.unpack(f'<{(len(data) - begin) // 4}f', data[begin:])
start, free, near = map(values, runs)
def distance(a): return sum((x - y) ** 2 for x, y in zip(a, start)) ** 0.5
assert 0 < distance(near) < 0.8 * distance(free), (distance(near), distance(free))
PYTHON
exits 0
start_train 2 "$scratch/near_killed" "${learn[@]}" --no-evaluate --kl 100 --checkpoint-every 2
wait_for 120 whole_checkpoint "$scratch/near_killed" 4
# shellcheck disable=SC2046
kill -9 $(ranks_of "$job") "$job" 2>/dev/null
finish_job
train 2 "$scratch/near_killed" "${learn[@]}" --no-evaluate --kl 100 --checkpoint-every 2
exits 0; says "resuming after step"
same_weights "$scratch/near_killed" "$scratch/near"

new_case "--kl from other weights is another run; the same weights may come from another file"
train 2 "$scratch/near" "${learn[@]}" --no-evaluate --kl 100 --checkpoint-every 2 --init "$(last_checkpoint "$scratch/np2")"
exits 64; said_once "kl: was 100 from weights of digest "
run "$blip" export --from "$(last_checkpoint "$scratch/start")" --to "$scratch/start_weights"
exits 0
train 2 "$scratch/near" "${learn[@]}" --no-evaluate --kl 100 --checkpoint-every 2 --init "$scratch/start_weights"
exits 0; says "nothing left to do"

new_case "settings that cannot work are refused, with what would"
refused() { train 1 "$scratch/refused" "${learn[@]}" "$@"; exits 64; }
micro=2 refused; says "--samples-per-picture 3 needs batches of whole pictures"
refused --samples-per-picture 1; says "nothing to compare a sample with"
refused --reward meteor=1; says "'meteor' is none of cider, bleu4"
refused --reward cider; says "'cider' has no weight"
refused --reward cider=0; says "nothing is rewarded"
refused --captions-per-picture 3; says "is of --objective cross-entropy"
refused --label-smoothing 0.2; says "has no effect with --objective self-critical"
refused --max-length 4 --min-length 1; says "leaves no"
train 1 "$scratch/refused" --baseline greedy
exits 64; says "--baseline has no effect with --objective cross-entropy"
train 1 "$scratch/refused" --cider-df df.json
exits 64; says "--cider-df has no effect with --objective cross-entropy"
leaves_nothing_like "$scratch/refused*"

train 1 "$scratch/refused" --objective self-critical --samples-per-picture 3 --kl 1
exits 64; says "--kl keeps near the weights of --init"

new_case "without --init it wants a trained start"
train 1 "$scratch/random" --objective self-critical --samples-per-picture 3 --no-evaluate --max-steps 1
exits 0; says "start from weights that were trained with cross-entropy"
summary
