#!/usr/bin/env bash
# test: quick
# The whole program on a pretended CUDA device (fake_cuda.h): train, evaluate and caption with --device cuda, beside the
# CPU's results; and faults planted in the device's order, each of which ends the program with 99.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
on_pretended_gpu
export FAKE_CUDA_COUNTS=$scratch/counts
draw_sample 24 # 120 captions: 10 steps an epoch
micro=3

# counted: the pretended device worked, in every process, no step waited for it, and no process took memory of two
counted() {
    local line
    [ -s "$FAKE_CUDA_COUNTS" ] || fail "the pretended device counted nothing"
    while read -r line; do
        [[ $line =~ kernels\ [1-9][0-9]{3,}.*\ waits_in_steps\ 0\ copies_to_host\ [1-9].*\ collectives\ [1-9].*\ contexts\ 1\ violations\ 0 ]] ||
            fail "the device counted: $line"
    done <"$FAKE_CUDA_COUNTS"
    rm -f "$FAKE_CUDA_COUNTS"
}

# beside_cpu RANKS NAME: trained with $options on the CPU, then on as many devices, all of which worked without a wait
beside_cpu() {
    train "$1" "$scratch/$2_cpu" "${options[@]}" --device cpu
    exits 0
    rm -f "$FAKE_CUDA_COUNTS"
    train "$1" "$scratch/$2" "${options[@]}" --device cuda
    exits 0; is "$(wc -l <"$FAKE_CUDA_COUNTS")" "$1" "devices that counted"; counted
}

new_case "fp32: 10 steps with the CPU's losses, and no wait for the device in any of them"
options=(--epochs 1 --no-evaluate --drop-path 0.1 --bucket-mb 0.5 --precision fp32)
beside_cpu 1 fp32; says "on a pretended GPU 0"
same_losses "$(tolerance loss_on_pretended_gpu)" "$scratch/fp32" "$scratch/fp32_cpu"

new_case "bf16, two ranks on two devices, drop path, recomputed blocks, checkpoints meanwhile: the CPU's losses"
options=(--epochs 1 --no-evaluate --drop-path 0.1 --bucket-mb 0.5 --precision bf16 --vit-grad-ckpt --vit-ckpt-layer 1
    --checkpoint-every 4)
beside_cpu 2 bf16
same_losses "$(tolerance bf16_loss_on_pretended_gpu)" "$scratch/bf16" "$scratch/bf16_cpu"

new_case "pictures with several captions: the CPU's losses"
options=(--epochs 1 --no-evaluate --captions-per-picture 3 --precision fp32)
beside_cpu 2 grouped
same_losses "$(tolerance loss_on_pretended_gpu)" "$scratch/grouped" "$scratch/grouped_cpu"

new_case "captions that learn from their score: the CPU's draws, rewards and losses, and no wait in a step"
micro=12 train 1 "$scratch/start" --epochs 20 --no-evaluate --init-lr 3e-3 --device cpu # words that earn something
exits 0
options=(--objective self-critical --samples-per-picture 3 --init "$(last_checkpoint "$scratch/start")" --dropout 0 --epochs 1
    --no-evaluate --precision fp32 --kl 0.1)
beside_cpu 1 rewarded
log_query "
for step, r in logs[0].items():
    other = logs[1][step]
    for name in ('loss', 'reward', 'reward_spread', 'sample_length', 'without_end', 'distinct_captions', 'kl'):
        assert abs(r[name] - other[name]) <= $(tolerance self_critical_over_ranks) * max(1, abs(other[name])), (step, name, r[name], other[name])
assert all(r['reward'] > 0 for r in logs[0].values())" "$scratch/rewarded" "$scratch/rewarded_cpu"

new_case "--deterministic: stopped after 4 of 10 steps and resumed, the same bits"
options=(--epochs 1 --no-evaluate --device cuda --deterministic --precision bf16)
train 2 "$scratch/whole" "${options[@]}"
exits 0
train 2 "$scratch/parts" "${options[@]}" --max-steps 4
exits 0
train 2 "$scratch/parts" "${options[@]}"
exits 0; says "resuming after step 4"
same_weights "$scratch/parts" "$scratch/whole"
same_losses 0 "$scratch/parts" "$scratch/whole"

new_case "a frozen encoder, clipped gradients, a rate that warms up, the loss on val: the CPU's numbers, and no wait in a step"
options=(--epochs 1 --freeze vision --clip-norm 0.5 --warmup-steps 6 --limit 2 --split val --precision fp32)
beside_cpu 2 frozen
same_losses "$(tolerance loss_on_pretended_gpu)" "$scratch/frozen" "$scratch/frozen_cpu"
log_query "
one, other = [[e['splits']['val']['loss'] for e in run if e['kind'] == 'evaluation'] for run in events]
assert len(one) == 1 and abs(one[0] / other[0] - 1) < $(tolerance loss_on_pretended_gpu), (one, other)
assert max(r['gradient_norm'] for r in logs[0].values()) > 0.5, 'nothing was clipped'" "$scratch/frozen" "$scratch/frozen_cpu"

new_case "evaluate and caption, searched and sampled: the CPU's captions"
run "$blip" export --from random "${shape[@]}" --to "$scratch/random.safetensors"
exits 0
for device in cpu cuda; do
    run mpirun -np 2 "$blip" evaluate --data "$data" --init "$scratch/random.safetensors" --split val --threads 1 \
        --no-progress --output "$scratch/scores-$device" --device $device --precision fp32
    exits 0
    run "$blip" caption --init "$scratch/random.safetensors" --device $device --precision fp32 --sample --num-captions 2 \
        --seed 3 "$scratch"/coco/val2014/*
    exits 0
    grep -E '^[^ ]*[.](jpg|png):' "$output" >"$scratch/captions-$device"
done
python3 - "$scratch"/scores-{cpu,cuda}/result/val.json "$(tolerance loss_on_pretended_gpu)" <<'PYTHON' || fail "the captions of val differ"
import json, sys
cpu, cuda = (json.load(open(path)) for path in sys.argv[1:3])
assert len(cpu) == len(cuda) > 0
for one, other in zip(cpu, cuda):
    sums = one.pop('log_probability'), other.pop('log_probability')
    assert one == other and abs(sums[0] - sums[1]) <= float(sys.argv[3]) * abs(sums[0]), (one, other, sums)
PYTHON
[ -s "$scratch/captions-cpu" ] || fail "no captions"
same_file "$scratch/captions-cpu" "$scratch/captions-cuda" "the sampled captions"

new_case "a GPU that is lost midway, in training and in evaluation: 70, in one line that says what helps"
run env FAKE_CUDA=lost timeout -k 5 240 "$blip" train --data "$data" --output "$scratch/lost" "${small[@]}" --micro-batch 3 \
    --no-evaluate --device cuda --precision fp32
exits 70; says "error: rank 0 on $(hostname): CUDA error: unspecified launch failure; nvidia-smi shows"; says_not "frame #"
run env FAKE_CUDA=lost timeout -k 5 240 mpirun -np 2 "$blip" evaluate --data "$data" --init "$scratch/random.safetensors" \
    --split val --threads 1 --no-progress --output "$scratch/lost-scores" --device cuda --precision fp32
exits 70; says "on $(hostname): CUDA error: unspecified launch failure; nvidia-smi shows"; says_not "frame #"

plant() { # FAULT WORDS
    new_case "planted: $1"
    rm -rf "$scratch/planted"
    export FAKE_CUDA=$1
    run timeout -k 5 240 "$blip" train --data "$data" --output "$scratch/planted" "${small[@]}" --micro-batch 3 --no-evaluate \
        --max-steps 2 --device cuda --precision fp32
    unset FAKE_CUDA
    exits 99; says "$2"
}
plant no_block "without an order between them"
plant no_record "no record_stream"
plant no_wait "without an order between them"
summary
