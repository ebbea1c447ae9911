#!/usr/bin/env bash
# A run's event files as TensorBoard itself reads them, beside log.jsonl: plain, self-critical, after a kill, and resumed. Its reader
# is fetched from PyPI; skipped where it cannot be had. (run_views.sh reads them by their published layout.)
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
if ! env/tensorboard.sh >"$scratch/said" 2>&1; then
    skips "TensorBoard's own reader" "$(tail -n 1 "$scratch/said")"
    finish
fi
draw_sample 24
out=$scratch/out
# reads_as_log RUN [--torn]
reads_as_log() {
    run env/tensorboard.sh tests/support/tensorboard_scalars.py "$@"
    exits 0; says " curves, "
}

new_case "every number of every step and evaluation, at its time; pictures and captions are there"
train 2 "$out" --epochs 2
exits 0
reads_as_log "$out"

new_case "killed: what is there is right"
out=$scratch/killed
start_train 1 "$out" --epochs 400 --checkpoint-every 4
step_seen() { grep -qs train/loss "$out"/tensorboard/*; } # they are written every ten seconds
wait_for 60 step_seen
wait_for 60 step_logged "$out" 14
# shellcheck disable=SC2046
kill -9 $(ranks_of "$job") "$job" 2>/dev/null
wait "$job" 2>/dev/null
reads_as_log "$out" --torn
says_not ", 0 numbers"

new_case "resumed: one curve, each step once, equal to the log step by step"
before=$(python3 -c "import json, sys; print(max(r['step'] for r in map(json.loads, open(sys.argv[1])) if r['kind'] == 'step'))" "$out/log.jsonl")
train 1 "$out" --epochs 400 --checkpoint-every 4 --max-steps $(((before / 10 + 2) * 10))
exits 0; says "resuming after step"
reads_as_log "$out"

new_case "captions that learn from their score have curves of their own"
micro=3 train 1 "$scratch/rewarded" --objective self-critical --samples-per-picture 3 --init "$(last_checkpoint "$scratch/out")" \
    --dropout 0 --epochs 1
exits 0
reads_as_log "$scratch/rewarded"

new_case "a curve that is not the log's is found"
sed -i '0,/"lr":/s//"lr":9/' "$scratch/out/log.jsonl"
run env/tensorboard.sh tests/support/tensorboard_scalars.py "$scratch/out"
exits 1; says "AssertionError: ('train/lr'"
summary
