#!/usr/bin/env bash
# test: timed
# Signals at every stage of a job, beside those in the middle of training of train_signals.sh: while it starts, while a
# checkpoint is written or published, a second INT, and TERM or INT to mpirun itself, which kills the ranks after a
# second. Stages are held open by file_faults.cpp, so that the signal comes in the midst of them.
# shellcheck source=tests/support/fault_lib.sh
. "$(dirname "$0")/../support/fault_lib.sh"
draw_sample 12    # 5 steps an epoch
micro=6
options=(--epochs 4 --no-evaluate --checkpoint-every 4 --keep 2)

new_case "undisturbed"
train 2 "$scratch/whole" "${options[@]}"
exits 0

paused() { grep -q "paused before" "$output"; }
# held OUTPUT OPERATION TEXT SECONDS NTH ARGUMENT...: a job of two ranks in the background, held before that operation
held() {
    start_faulty_train 2 "$1" "PAUSE=$2,$3,$4,$5" -- "${@:6}"
    wait_for 60 paused
}
# to SIGNAL WHOM: mpirun, a rank's number, or all ranks
to() {
    local pids
    case $2 in
        mpirun) pids=("$job") ;;
        all) mapfile -t pids < <(ranks_of "$job") ;;
        *) pids=("$(rank_of "$job" "$2")") ;;
    esac
    kill "-$1" "${pids[@]}"
}
goes_on() { # OUTPUT ARGUMENT...: to the bytes of an undisturbed run
    train 2 "$1" "${options[@]}"
    exits 0; says "finished after step 20"
    same_weights "$1" "$scratch/whole"
    same_losses 0 "$1" "$scratch/whole"
}

for sent in "USR1 mpirun" "TERM 1" "INT 0" "TERM all"; do
    read -r signal whom <<<"$sent"
    new_case "$signal to $whom while the job starts: 85, and that there is nothing to save"
    out=$scratch/start-$signal-$whom
    held "$out" create .run-lock.new. 2 1 "${options[@]}"
    to "$signal" "$whom"
    finish_job 30
    exits 85; said_once "stopped by a signal before the first step: there is nothing to save"; says_not "error"
    leaves_nothing_like "$out/checkpoints/*"
    goes_on "$out"
done

train 2 "$scratch/six" "${options[@]}" --max-steps 6
# Taking the lock, looking for a checkpoint, verifying and reading it.
for sent in "TERM 1 create .run-lock.new. 1" "USR1 all open step-00000006/manifest 1" "INT 0 open step-00000006/shard-00001 2"; do
    read -r signal whom operation text nth <<<"$sent"
    new_case "$signal to $whom before $operation of ${text#*/} in a job that goes on from a checkpoint: 85, and it is still there"
    out=$scratch/again-$signal
    cp -r "$scratch/six" "$out"
    held "$out" "$operation" "$text" 2 "$nth" "${options[@]}"
    to "$signal" "$whom"
    finish_job 30
    exits 85; says "resuming after step 6"; said_once "stopped by a signal after step 6"
    goes_on "$out"
done

new_case "INT twice to a rank while the job starts: ends at once, and the checkpoint is still there"
out=$scratch/twice-start
cp -r "$scratch/six" "$out"
held "$out" open step-00000006/shard-00001 8 1 "${options[@]}"
twice() { # the job does not wait for what it is held in
    to INT 0
    sleep 0.3
    to INT 0
    finish_job 30
    exits 130
    [ "$waited" -le 6 ] || fail "it took $waited s"
}
twice
is "$(newest "$out")" 6 "the newest checkpoint"
goes_on "$out"

# The 1st sync below step-00000008 is that of a shard, by the writing thread; the manifest is published by the main one.
for sent in "USR1 mpirun fsync step-00000008/shard-00000" "TERM 1 rename step-00000008/manifest" "INT 0 fsync step-00000008/shard-00001" \
    "TERM all create step-00000008/manifest"; do
    read -r signal whom operation text <<<"$sent"
    new_case "$signal to $whom in a checkpoint, before $operation of ${text#*/}: 85"
    out=$scratch/in-$signal-$whom-$operation
    held "$out" "$operation" "$text" 2 1 "${options[@]}"
    to "$signal" "$whom"
    finish_job 30
    exits 85; said_once "stopped by a signal after step"; says_not "error"
    step=$(sed -n 's/.*stopped by a signal after step \([0-9]*\).*/\1/p' "$output")
    [ "${step:-0}" -ge 8 ] || fail "stopped after step $step"
    whole_checkpoint "$out" "$step" || fail "no checkpoint of step $step"
    goes_on "$out"
done

# A second INT ends the job at once: in the middle of a checkpoint, and of training.
for stage in "fsync step-00000008/shard-00000 1" "write log.jsonl 7"; do
    read -r operation text nth <<<"$stage"
    new_case "INT twice to a rank, before $operation of ${text#*/}: ends at once, the last checkpoint stands"
    out=$scratch/twice-$operation
    held "$out" "$operation" "$text" 8 "$nth" "${options[@]}"
    twice
    says_not "stopped by a signal after step"
    [ "$(newest "$out")" -ge 4 ] || fail "the newest checkpoint is that of step $(newest "$out")"
    goes_on "$out"
done

for sent in "TERM write log.jsonl 12" "INT write log.jsonl 9" "TERM fsync step-00000008/shard-00001 1" "INT create step-00000008/manifest 1"; do
    read -r signal operation text nth <<<"$sent"
    new_case "$signal to mpirun itself, before $operation of ${text#*/}: the ranks are killed, the last checkpoint stands"
    out=$scratch/mpirun-$signal-$operation
    held "$out" "$operation" "$text" 20 "$nth" "${options[@]}"
    to "$signal" mpirun
    finish_job 30
    [ "$status" -ne 0 ] || fail "exit 0"
    [ "$waited" -le 12 ] || fail "it took $waited s"
    [ "$(newest "$out")" -ge 4 ] || fail "the newest checkpoint is that of step $(newest "$out")"
    goes_on "$out"
done

# One picture at a time and many beams: there is time to be interrupted.
slow=(--epochs 1 --checkpoint-every 4 --eval-batch 1 --num-beams 256 --max-length 39)
train 2 "$scratch/whole-evaluated" "${slow[@]}"
evaluating() { whole_checkpoint "$1" 5 && [ ! -e "$1/evaluations/epoch-0.json" ]; }
stops=("INT 0 85" "TERM mpirun any")
if is_long; then stops+=("TERM 1 85" "USR1 all 85" "INT mpirun any"); fi
for sent in "${stops[@]}"; do
    read -r signal whom code <<<"$sent"
    new_case "$signal to $whom while an epoch is evaluated"
    out=$scratch/evaluating-$signal-$whom
    start_train 2 "$out" "${slow[@]}"
    wait_for 60 evaluating "$out"
    to "$signal" "$whom"
    finish_job 30
    [ "$code" = any ] || exits "$code"
    [ "$status" -ne 0 ] || fail "exit 0"
    [ ! -e "$out/evaluations/epoch-0.json" ] || fail "the evaluation was not interrupted"
    train 2 "$out" "${slow[@]}"
    exits 0; says "resuming after step 5"; says "epoch 1 val"
    same_weights "$out" "$scratch/whole-evaluated"
done

new_case "INT twice to a rank while an epoch is evaluated: ends at once; evaluated again"
out=$scratch/evaluating-twice
held "$out" create result/val_epoch0 8 1 "${slow[@]}"
twice
[ ! -e "$out/evaluations/epoch-0.json" ] || fail "the evaluation was not interrupted"
train 2 "$out" "${slow[@]}"
exits 0; says "resuming after step 5"; says "epoch 1 val"
same_weights "$out" "$scratch/whole-evaluated"

# Before the program's first instruction there is nobody to catch a signal: it may die of it, and loses nothing.
new_case "USR1 to mpirun at drawn moments of the first second (seed $seed)"
out=$scratch/early
for _ in $(seq "$(by_form 3 15)"); do
    start_train 2 "$out" "${options[@]}"
    drawn 100 900
    sleep "0.$(printf %03d "$draw")"
    kill -USR1 "$job"
    finish_job 30
    echo "  after $draw ms: exit $status"
    case $status in
        85 | 138 | 0) ;;
        *) fail "after $draw ms: exit $status" ;;
    esac
    [ $case_ok = 1 ] || break
done
goes_on "$out"
summary
