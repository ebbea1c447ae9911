#!/usr/bin/env bash
# Gradient checkpointing of the vision encoder: the same bytes as without, and less memory. Also the reference's own
# configuration file, which asks for it.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
draw_sample 24    # 120 captions: 10 steps an epoch
rest=(--model tiny --text-hidden 32 --text-heads 2 --text-intermediate 64 --text-layers 2 --vision-heads 2
    --threads 1 --loader-threads 1 --no-progress --init-lr 1e-3 --global-batch 12)
small=("${rest[@]}" --vision-width 32 --image-size 32 --vision-depth 4 --drop-path 0.3)    # what `train` adds
options=(--epochs 1 --max-steps 4 --no-evaluate)

for np in 1 2; do
    new_case "$np ranks, several micro-batches, stochastic depth: checkpoints are equal byte for byte"
    train $np "$scratch/plain$np" "${options[@]}"
    exits 0
    train $np "$scratch/again$np" "${options[@]}" --vit-grad-ckpt --vit-ckpt-layer 3
    exits 0
    same_weights "$scratch/plain$np" "$scratch/again$np"
    same_losses 0 "$scratch/plain$np" "$scratch/again$np"
done

new_case "a run may go on with or without it"
options=(--epochs 1 --no-evaluate)
train 2 "$scratch/plain2" "${options[@]}" --vit-grad-ckpt --vit-ckpt-layer 4
exits 0; says "resuming after step 4"
train 2 "$scratch/again2" "${options[@]}"
exits 0; says "resuming after step 4"
same_weights "$scratch/plain2" "$scratch/again2"

# 24 blocks of 577 tokens: their activations are most of what a step needs.
new_case "it saves most of the activations' memory"
small=("${rest[@]}" --vision-depth 24 --vision-width 64 --image-size 192 --patch-size 8)
deep=(--max-steps 1 --no-evaluate --checkpoint-minutes 0)
micro=12 train 1 "$scratch/deep" "${deep[@]}"
exits 0
micro=12 train 1 "$scratch/shallow" "${deep[@]}" --vit-grad-ckpt --vit-ckpt-layer 24
exits 0
same_losses 0 "$scratch/deep" "$scratch/shallow"
# 12 pictures x 577 tokens x 64 wide x 4 bytes = 1.7 MB; a block keeps 16 of them, or its input alone
log_query "
peaks = [next(r['peak_memory_bytes'] for r in reversed(e) if r['kind'] == 'stop') for e in events]
unit = 12 * 577 * 64 * 4
print('peaks', peaks, 'a saving of', (peaks[0] - peaks[1]) / unit / 24, 'of 15 tensors a block')
assert peaks[0] - peaks[1] > 24 * 11 * unit, peaks" "$scratch/deep" "$scratch/shallow"

new_case "nothing to recompute, and more than there is"
train 1 "$scratch/none" --vit-grad-ckpt
exits 64; says "--vit-grad-ckpt recomputes nothing with --vit-ckpt-layer 0"
train 1 "$scratch/none" --vit-grad-ckpt --vit-ckpt-layer 25
exits 64; says "--vit-ckpt-layer 25 is more than the 24 blocks of the vision encoder"
summary
