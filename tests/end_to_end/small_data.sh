#!/usr/bin/env bash
# test: quick
# What small data need: a frozen picture encoder, a rate that warms up, clipped gradients, the loss on val after each
# epoch, an end when nothing gets better, and lines that say what cannot work and what comes next.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
draw_sample 24    # 10 steps an epoch
train 2 "$scratch/start" --epochs 1
start=$scratch/start/best
[ "$status" = 0 ] || { cat "$output"; echo "0 passed, 1 failed, 0 skipped"; exit 1; }
all=(--init "$start" --clip-norm 0.5 --warmup-steps 15 --freeze vision --epochs 2)

# vision_bytes FILE OTHER: "same N other M": how many tensors of the encoder have the same bytes, and how many others do not
vision_bytes() {
    python3 - "$1" "$2" <<'PYTHON'
import json, struct, sys
def tensors(file):
    raw = open(file, 'rb').read()
    length = struct.unpack('<Q', raw[:8])[0]
    header = json.loads(raw[8:8 + length])
    header.pop('__metadata__', None)
    return {name: raw[8 + length + e['data_offsets'][0]:8 + length + e['data_offsets'][1]] for name, e in header.items()}
a, b = tensors(sys.argv[1]), tensors(sys.argv[2])
assert a.keys() == b.keys()
vision = [n for n in a if n.startswith('visual_encoder.')]
assert len(vision) == 30, vision    # 2 blocks of 12, patches (2), positions, class token, last norm (2)
moved = [n for n in vision if a[n] != b[n]]
assert not moved, moved
# a key's bias has no gradient but rounding's
still = [n for n in a if n not in vision and a[n] == b[n]]
assert len(still) * 10 < len(a), still
PYTHON
}

new_case "--freeze vision: the encoder's weights stay those of --init, byte for byte; the others learn"
train 2 "$scratch/frozen" "${all[@]}"
exits 0; says "of them frozen"
said=$(vision_bytes "$start/model.safetensors" "$scratch/frozen/best/model.safetensors" 2>&1) || fail "$said"
log_query "
log = logs[0]
for step, r in log.items():
    lr = (1e-3 if step <= 10 else 5e-4) * min(1, step / 15)
    assert abs(r['lr'] - lr) < 1e-12, (step, r['lr'], lr)
assert max(r['gradient_norm'] for r in log.values()) > 0.5, 'the norm is told before clipping'" "$scratch/frozen"

new_case "the checkpoint has the encoder's weights and no moments of them"
names=$(cat "$(last_checkpoint "$scratch/frozen")"/shard-*.safetensors | tr '"' '\n' | grep -aE '^(master|exp_avg|exp_avg_sq)/visual_encoder')
grep -q '^master/visual_encoder' <<<"$names" || fail "no weights: $names"
! grep -q '^exp_avg' <<<"$names" || fail "moments: $names"

new_case "stopped and resumed: the same bytes; on one and three ranks the same losses"
train 2 "$scratch/again" "${all[@]}" --max-steps 13
exits 0
train 2 "$scratch/again" "${all[@]}"
exits 0; says "resuming after step 13"
same_weights "$scratch/again" "$scratch/frozen"
for ranks in 1 3; do
    train $ranks "$scratch/on$ranks" "${all[@]}" --no-evaluate
    exits 0
    same_losses "$(tolerance loss_over_ranks)" "$scratch/on$ranks" "$scratch/frozen"
done

new_case "bf16: the frozen weights are still those of --init"
train 2 "$scratch/bf16" "${all[@]}" --precision bf16
exits 0
said=$(vision_bytes "$start/model.safetensors" "$scratch/bf16/best/model.safetensors" 2>&1) || fail "$said"

new_case "another --freeze, --clip-norm or --warmup-steps is another run"
train 2 "$scratch/frozen" "${all[@]}" --freeze none
exits 64; said_once "freeze: was vision, now none"
train 2 "$scratch/frozen" "${all[@]}" --clip-norm 1
exits 64; said_once "clip-norm: was 0.5, now 1"
train 2 "$scratch/frozen" "${all[@]}" --warmup-steps 0
exits 64; said_once "warmup-steps: was 15, now 0"

new_case "--dry-run tells what freezing saves; frozen random weights are warned of"
parts() {
    run timeout -k 5 120 "$blip" train --data "$data" --output "$scratch/dry" --model tiny --threads 1 --no-progress --global-batch 32 --micro-batch 16 --dry-run "$@"
    python3 - "$output" <<'PYTHON'
import re, sys
sizes = [float(size) for size, what in re.findall(r"^ +([\d.]+) MiB  (.*)$", open(sys.argv[1]).read(), re.M)]
weights, gradients, moments, copy = sizes
assert abs(moments - 2 * gradients) < 0.2 and abs(copy - weights - moments) < 0.2, sizes
print(round(gradients / weights, 2))
PYTHON
}
is "$(parts)" 1.0 "gradients over weights"
share=$(parts --freeze vision)
[ "$(echo "0.2 < $share && $share < 0.95" | bc)" = 1 ] || fail "gradients over weights with a frozen encoder: $share"
train 2 "$scratch/random" --freeze vision --max-steps 1 --no-evaluate
exits 0; said_once "--freeze vision keeps random weights as they are"

new_case "the loss on val is told after each epoch, in the log, and is the same on any number of ranks"
for ranks in 1 3; do
    train $ranks "$scratch/loss$ranks" --epochs 2 --log-samples 0
    exits 0; grep -qE 'epoch 2 val: .* loss [0-9.]+ in .* Bleu_4' "$output" || fail "no loss beside the scores"
done
log_query "
found = [[e['splits']['val'] for e in run if e['kind'] == 'evaluation'] for run in events]
for one, other in zip(*found):
    assert abs(one['loss'] / other['loss'] - 1) < $(tolerance loss_over_ranks), (one, other)
    assert one['loss_tokens'] == other['loss_tokens'] > 100 and one['loss_s'] > 0, (one, other)
assert found[0][0]['loss'] > found[0][1]['loss'] > 1, found
assert all('loss' not in e['splits']['test'] for e in events[0] if e['kind'] == 'evaluation')" "$scratch/loss1" "$scratch/loss3"

# So low a rate changes weights, but no caption: the first epoch stays the best.
still=(--init "$start" --init-lr 1e-7 --epochs 5 --limit 3)
new_case "--patience 2: two epochs without a better score end the run with 0"
train 2 "$scratch/patient" "${still[@]}" --patience 2
exits 0; says "ended after step 30, epoch 3 of 5: 2 epochs without a better score (--patience 2); best weights: $scratch/patient/best (epoch 1, CIDEr + Bleu_4"
says "blip_mpi caption --init $scratch/patient/best"
is "$(find "$scratch/patient/evaluations" -type f | wc -l)" 3 "evaluations"
new_case "run again it says that it has ended, and how to go on"
train 2 "$scratch/patient" "${still[@]}" --patience 2
exits 0; says "nothing left to do: the run had ended after step 30"; says "a larger --patience, or 0"
says "--init $scratch/patient/best --output ANOTHER"
new_case "with more patience, and then without, it goes on as if it had never ended"
train 2 "$scratch/patient" "${still[@]}" --patience 3
exits 0; says "ended after step 40, epoch 4 of 5: 3 epochs without"
train 2 "$scratch/patient" "${still[@]}"
exits 0; says "finished after step 50"
train 2 "$scratch/whole" "${still[@]}" --patience 5
exits 0; says "finished after step 50"; says_not "without a better score"
same_weights "$scratch/patient" "$scratch/whole"
new_case "patience that nothing can try: refused"
train 1 "$scratch/no" --patience 2 --no-evaluate
exits 64; says "--patience counts evaluations, which --no-evaluate leaves out"
leaves_nothing_like "$scratch/no*"

new_case "without captions to score against no weights are the best: told at the start"
run "$bin/coco_pack" --coco "$scratch/coco" --splits train --out "$scratch/blind.h5"
exits 0
data=$scratch/blind.h5 train 2 "$scratch/blind" --epochs 1 --dry-run
exits 0; said_once "blind.h5 has no captions of val or test to score against"; says "best/ is not written"
train 2 "$scratch/blind" --epochs 1 --dry-run
exits 0; says_not "to score against"; says "10 steps an epoch, 1 epoch;"

new_case "settings that cannot teach anything are told, with others; a finished run with more epochs, the way on"
train 2 "$scratch/whole" "${still[@]}" --dry-run
says "50 steps in all at 1e-07: too few to learn"
train 2 "$scratch/start" --epochs 3
exits 64; said_once "epochs: was 1, now 3"; says "--init $start --output $scratch/start2"
train 2 "$scratch/start" --epochs 1 --dry-run
says_not "too few to learn"
summary
