#!/usr/bin/env bash
# test: quick timed
# Two jobs on one --output: the second is refused and names the first; a killed one's successor starts at once; what only
# reads is not in the way.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
draw_sample 24
out=$scratch/out
options=(--epochs 500 --no-evaluate --checkpoint-every 3)

new_case "a second job is refused and names the first; looking is allowed"
start_train 2 "$out" "${options[@]}"
first=$job
wait_for 60 whole_checkpoint "$out" 3
holder=$(rank_of "$first" 0)
first_output=$output output=$scratch/.second
before=$(md5sum "$out/log.txt" | cut -c1-8) records=$(grep -c '"kind":"run"' "$out/log.jsonl")
train 3 "$out" "${options[@]}"
exits 64
said_once "$out is in use by process $holder on $(uname -n)"
says "give another --output, or wait for it or end it"
is "$(grep -c '"kind":"run"\|"kind":"resume"' "$out/log.jsonl")" "$records" "runs in log.jsonl"
is "$(grep -c 'in use' "$out/log.txt")" 0 "lines of the refused job in log.txt, which was $before"
train 1 "$out" "${options[@]}" --dry-run
exits 0; says "would resume after step"
run "$blip" verify "$out"
exits 0
output=$first_output job=$first
kill -0 "$first" || fail "the first job did not go on"

new_case "killed with kill -9, it is succeeded at once"
# shellcheck disable=SC2046
kill -9 $(ranks_of "$job") "$job" 2>/dev/null
finish_job 20
train 2 "$out" --epochs 500 --no-evaluate --checkpoint-every 3 --max-steps "$(($(grep -c '"kind":"step"' "$out/log.jsonl") + 4))"
exits 0; says "was left by process $holder"; says "that process is no more"; says "resuming after step"
is "$(find "$out" -name '.run-lock*' | wc -l)" 1 "lock files"

new_case "after an orderly end nothing is waited for"
train 1 "$out" --epochs 500 --no-evaluate --max-steps 1
says_not "was left by"; says_not "in use"

new_case "an earlier start of the same Slurm job, on another host, is over"
lock=$(find "$out" -name '.run-lock.*')
sed -i 's/"host": "[^"]*"/"host": "gone"/; s/"job": "[^"]*"/"job": "Slurm job 12"/; s/"released": true/"released": false/' "$lock"
export SLURM_JOB_ID=12 SLURM_RESTART_COUNT=1
train 1 "$out" --epochs 500 --no-evaluate --max-steps 1
unset SLURM_JOB_ID SLURM_RESTART_COUNT
says "Slurm has started that job again, as this one"; says_not "in use"

new_case "another host's lock without a beat for minutes is taken over, and said so"
lock=$(find "$out" -name '.run-lock.*')
sed -i 's/"host": "[^"]*"/"host": "gone"/; s/"released": true/"released": false/' "$lock"
touch -d '10 minutes ago' "$lock"
train 1 "$out" --epochs 500 --no-evaluate --max-steps 1
says "nothing was heard of it for 6"; says_not "in use"

new_case "a signal while another host's lock is waited for: 85, and the lock is still its"
lock=$(find "$out" -name '.run-lock.*')
sed -i 's/"host": "[^"]*"/"host": "gone"/; s/"released": true/"released": false/' "$lock"
touch "$lock"
before=$(cat "$lock")
start_train 2 "$out" --epochs 500 --no-evaluate --max-steps 1
wait_for 60 grep -q "waiting to see whether it lives" "$output"
kill -USR1 "$job"
finish_job 20
is "$status" 85 "exit code"
says "stopped by a signal while waiting to see whether process"
is "$(cat "$lock")" "$before" "the lock"

new_case "another host's lock that beats is refused"
lock=$(find "$out" -name '.run-lock.*')
sed -i 's/"host": "[^"]*"/"host": "gone"/; s/"released": true/"released": false/' "$lock"
touch "$lock"
start_train 1 "$out" --epochs 500 --no-evaluate --max-steps 1
wait_for 60 grep -q "waiting to see whether it lives" "$output"
touch "$lock"
finish_job 60
is "$status" 64 "exit code"
says "in use by process"; says " on gone"
summary
