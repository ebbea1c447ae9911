#!/usr/bin/env bash
# test: timed sanitizers
# Signals: USR1 through mpirun, TERM, INT and HUP sent to ranks, in training and in evaluation, end the job with 85 after
# a checkpoint; the same command goes on and ends with the bytes of an undisturbed run.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
draw_sample 24    # 120 captions: 10 steps an epoch
options=(--epochs 3)

new_case "undisturbed"
train 2 "$scratch/whole" "${options[@]}"
exits 0

# stopped: the job in the background ends with 85 and says so once, for all ranks
stopped() {
    finish_job 30
    exits 85
    said_once "stopped by a signal after step"
    says_not "error"
    whole_checkpoint "$1" "$(sed -n 's/.*stopped by a signal after step \([0-9]*\).*/\1/p' "$output")" || fail "no checkpoint of that step"
    log_query "assert events[0][-1]['kind'] == 'stop' and events[0][-1]['step'] == max(logs[0]), (events[0][-1], max(logs[0]))" "$1"
}
# interrupted NAME SIGNAL RANK: RANK - means mpirun
interrupted() {
    local out=$scratch/$2-$3 pid
    new_case "$1"
    start_train 2 "$out" "${options[@]}"
    wait_for 60 step_logged "$out" 13
    if [ "$3" = - ]; then pid=$job; else pid=$(rank_of "$job" "$3"); fi
    kill "-$2" "$pid"
    stopped "$out"
    train 2 "$out" "${options[@]}"
    exits 0; says "resuming after step"; says "finished after step 30"
    same_weights "$out" "$scratch/whole"
    same_losses 0 "$out" "$scratch/whole"
}
interrupted "USR1 to mpirun" USR1 -
interrupted "TERM to one rank" TERM 1
interrupted "INT to the first rank" INT 0

new_case "twice in one run, on all ranks at once"
out=$scratch/twice
fresh=(--fresh)
for step in 4 16; do
    start_train 3 "$out" "${options[@]}" "${fresh[@]}"
    wait_for 60 step_logged "$out" $step
    # shellcheck disable=SC2046
    kill -TERM $(ranks_of "$job")
    stopped "$out"
    says "run the same command again${fresh[*]:+, without --fresh,} to go on"
    fresh=()
done
train 3 "$out" "${options[@]}"
exits 0
train 3 "$scratch/three" "${options[@]}"
same_weights "$out" "$scratch/three"

new_case "a terminal that is lost, and with nohup"
out=$scratch/hangup
one_rank=("$blip" train --data "$data" --output "$out" "${small[@]}" --micro-batch 2 "${options[@]}")
start env --default-signal=HUP "${one_rank[@]}"
wait_for 60 step_logged "$out" 3
kill -HUP "$job"
stopped "$out"
start nohup "${one_rank[@]}"
wait_for 60 step_logged "$out" 16
kill -HUP "$job"
finish_job 60
exits 0; says "resuming after step"; says "finished after step 30"

# What oneDNN generates keeps buffers' addresses in the stack pointer: a handler on a thread that computes breaks memory.
new_case "a flood of signals, which no thread that computes may take"
out=$scratch/flood
start_train 2 "$out" "${options[@]}"
wait_for 60 step_logged "$out" 3
# flood SIGNAL UNTIL...: to all ranks, as fast as the shell can, until a command is true
flood() {
    local ranks signal=$1
    shift
    ranks=$(ranks_of "$job")
    # shellcheck disable=SC2086
    while kill "-$signal" $ranks 2>/dev/null && ! "$@"; do sleep 0.001; done
}
flood USR2 step_logged "$out" 16
flood USR1 false
stopped "$out"
train 2 "$out" "${options[@]}"
exits 0
same_weights "$out" "$scratch/whole"

# One picture at a time and many beams: there is time to be interrupted.
slow=(--eval-batch 1 --num-beams 64 --max-length 39)
new_case "a signal while an epoch is evaluated: that epoch is evaluated by the next job"
out=$scratch/evaluating
in_evaluation() { whole_checkpoint "$1" 10 && [ ! -e "$1/evaluations/epoch-0.json" ]; }
start_train 2 "$out" --epochs 1 "${slow[@]}"
wait_for 60 in_evaluation "$out"
kill -USR1 "$job"
stopped "$out"
says "after step 10"
[ ! -e "$out/evaluations/epoch-0.json" ] || fail "the evaluation was not interrupted"
train 2 "$out" --epochs 1 "${slow[@]}"
exits 0; says "epoch 1 val"; says "epoch 1 test"; says "finished after step 10"
[ -s "$out/evaluations/epoch-0.json" ] || fail "epoch 0 was not evaluated"
is "$(grep -c '"kind":"step"' "$out/log.jsonl")" 10 "steps trained in both jobs"

# the rank that is told waits for no more than a picture of the other
new_case "a signal to one rank of the evaluate verb, which has more to do than a collective may take"
start mpirun -np 2 "$blip" evaluate --data "$data" --init "$scratch/whole" --output "$scratch/scores" "${slow[@]}" --threads 1 --split train --comm-timeout 1
captioning() { kill -USR2 "$job" && sleep 0.3 && grep -q captioning "$output"; }    # each rank tells what it is doing
wait_for 60 grep -q "options that differ" "$output"
wait_for 60 captioning
kill -TERM "$(rank_of "$job" 1)"
finish_job 30
exits 85; said_once "stopped by a signal"
leaves_nothing_like "$scratch/scores/result/*"
leaves_nothing_like "$scratch/scores/evaluate.json"
summary
