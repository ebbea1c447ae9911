#!/usr/bin/env bash
# --init over several ranks: one reads, all have the same weights; what is wrong with them ends all ranks with one
# message.
# shellcheck source=tests/support/init_lib.sh
. "$(dirname "$0")/../support/init_lib.sh"
draw_sample 12
# evaluate RANKS OUTPUT ARGUMENT...
evaluate() {
    run timeout -k 5 120 mpirun -np "$1" "$blip" evaluate --data "$data" --output "$2" --threads 1 --loader-threads 1 --no-progress "${@:3}"
}
steps=(--threads 1 --loader-threads 1 --no-progress --no-evaluate --max-steps 2 --global-batch 6 --micro-batch 2 --precision fp32)
train_from() { # RANKS OUTPUT ARGUMENT...
    run timeout -k 5 240 mpirun -np "$1" "$blip" train --data "$data" --output "$2" "${steps[@]}" "${@:3}"
}

new_case "evaluation by three ranks gives the captions of one, and one of them reads and speaks"
evaluate 1 "$scratch/one" --init "$pth" "${heads[@]}"
exits 0
evaluate 3 "$scratch/three" --init "$pth" "${heads[@]}"
exits 0; said_once "trained with pictures of 96 x 96 pixels"
run python3 -c '
import json, sys
one, three = ({r["image_id"]: r["caption"] for r in json.load(open(f))} for f in sys.argv[1:])
assert one == three and len(one) == 6, (one, three)' "$scratch/one/result/val.json" "$scratch/three/result/val.json"
exits 0

new_case "training by three ranks starts from the same weights as from our own copy of them, resized"
run "$blip" export --from "$pth" "${heads[@]}" --to "$scratch/ours"
exits 0
train_from 3 "$scratch/from_pth" --init "$pth" "${heads[@]}" --image-size 64
exits 0; said_once "position embeddings resized from 6 x 6 (96 pixels) to 4 x 4 (64 pixels)"
train_from 3 "$scratch/from_ours" --init "$scratch/ours" --image-size 64
exits 0; said_once "position embeddings resized from 6 x 6 (96 pixels) to 4 x 4 (64 pixels)"
same_weights "$scratch/from_pth" "$scratch/from_ours"

new_case "a checkpoint as --init, at its own and at another resolution; resuming stays strict"
evaluate 3 "$scratch/scores" --init "$(last_checkpoint "$scratch/from_pth")"
exits 0; says_not resized
evaluate 3 "$scratch/scores" --init "$(last_checkpoint "$scratch/from_pth")" --image-size 96
exits 0; said_once "position embeddings resized from 4 x 4 (64 pixels) to 6 x 6 (96 pixels)"
train_from 3 "$scratch/from_pth" --init "$pth" "${heads[@]}" --image-size 96
exits 64; says "image"

new_case "a damaged file ends all ranks with one message"
cp "$pth" "$scratch/flipped"
flip_byte "$scratch/flipped" 3000000
begin=$SECONDS
evaluate 3 "$scratch/never" --init "$scratch/flipped" "${heads[@]}"
exits 65; said_once "error: $scratch/flipped"; says_not "MPI_ABORT"
train_from 3 "$scratch/never" --init "$scratch/flipped" "${heads[@]}"
exits 65; said_once "error: $scratch/flipped"; says_not "MPI_ABORT"
[ $((SECONDS - begin)) -lt 60 ] || fail "it took $((SECONDS - begin)) s"

new_case "wrong names and contradictions end all ranks with one message"
evaluate 3 "$scratch/never" --init "$scratch/none"
exits 66; said_once "$scratch/none: no such file or folder"; says_not "MPI_ABORT"
evaluate 3 "$scratch/never" --init "$pth" "${heads[@]}" --text-layers 4
exits 64; said_once "text-layers: 4 was asked for, the weights have 3"; says_not "MPI_ABORT"
evaluate 3 "$scratch/never" --init "$pth"
exits 65; said_once "give --text-heads and --vision-heads"; says_not "MPI_ABORT"
leaves_nothing_like "$scratch/never/evaluate.json"
summary
