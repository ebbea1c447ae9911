#!/usr/bin/env bash
# test: timed
# One run through all that a cluster does to jobs, under a real Slurm: its time limit three times, requeueing, a cancellation,
# a signal to ranks of srun's, preemption by a job that is more urgent, with a signal and without, and a node that loses its
# power, seen by Slurm or by the launcher first. It has to end with the weights, bit for bit, of the same run undisturbed.
# shellcheck source=tests/support/cluster_lib.sh
. "$(dirname "$0")/../support/cluster_lib.sh"
job_settings
start_cluster
started=$SECONDS
draw_sample 24    # 120 captions: 10 steps an epoch

# As many steps as take 85 seconds on one core here, so that there is something to interrupt on machines of any speed.
"$blip" train --data "$data" --output "$scratch/first" "${small[@]}" --micro-batch 2 --max-steps 10 --no-evaluate >"$scratch/.first" 2>&1
INIT=$(last_checkpoint "$scratch/first")
epochs=$(python3 -c '
import json, sys
records = [json.loads(line) for line in open(sys.argv[1])]
times = sorted(record["step_ms"] for record in records if record["kind"] == "step")
print(max(40, min(400, round(85000 / 10 / times[0]))))' "$scratch/first/log.jsonl") || epochs=120
steps=$((10 * epochs))
export INIT OUTPUT=$scratch/run OPTIONS="${small[*]} --epochs $epochs --checkpoint-every 5 --no-evaluate"
# The same run undisturbed goes on beside the waiting for Slurm.
start_train 2 "$scratch/undisturbed" --init "$INIT" --epochs "$epochs" --checkpoint-every 5 --no-evaluate
undisturbed=$job

# count TEXT: how often the job's log says it
count() { grep -cE -- "$1" "$log" 2>/dev/null; }
# said_like TIMES TEXT
said_like() { [ "$(count "$2")" -ge "$1" ]; }
# before an interruption; comes_back SECONDS: Slurm has started the job once more, it has resumed and done some steps since
before() { restarts=$(job_field Restarts) resumed=$(count "resuming after step") stopped=$(count "stopped by a signal after step"); }
comes_back() {
    local step
    until_says "$1" "resuming after step" $((resumed + 1)) || return
    is "$(job_field Restarts)" $((restarts + 1)) "restarts"
    trains_on "$1"
}
# trains_on SECONDS [STEPS]
trains_on() {
    local step
    step=$(grep -oE 'resuming after step [0-9]+' "$log" | tail -n 1 | grep -oE '[0-9]+')
    until_step "$1" "$OUTPUT" $((step + ${2:-3}))
}
stopped_by_signal() { until_says 60 "stopped by a signal after step" $((stopped + 1)); }

new_case "the time limit, three times: Slurm's signal, a checkpoint, back into the queue, on from there"
# Slurm looks every 30 seconds at what is over time: this makes its signal come eight seconds after the start, or so, and
# later ones twelve. Where the first one comes before the first step, the next one counts.
sleep $(((50 - (SECONDS - started) % 30) % 30))
SBATCH_TIMELIMIT=1 SBATCH_SIGNAL=B:USR1@50 submit "$root/jobs/single_node.sbatch" --micro-batch 2
for time in 1 2 3; do
    until_true 120 said_like $time "stopped by a signal after step [1-9]" || { show_job "not stopped at its time limit, time $time" && break; }
    cut=$SECONDS
    until_true 60 in_state PENDING
    [ $time -lt 3 ] || scontrol update "jobid=$id" timelimit=60 >>"$output" 2>&1
    [ $time -eq 3 ] || scontrol update "jobid=$id" starttime=now+$((16 - (SECONDS - cut))) >>"$output" 2>&1
done
until_says 60 "resuming after step" 3 && trains_on 60
[ "$(job_field Restarts)" -ge 3 ] || show_job "not requeued each time"

new_case "scontrol requeue: killed, and on from the newest checkpoint"
before
scontrol requeue "$id" >>"$output" 2>&1
comes_back 90

new_case "scancel: the job ends for good"
scancel "$id" >>"$output" 2>&1
ends 30 CANCELLED
says_not "finished after"

new_case "submitted again, on two nodes by srun: on from there, stopped by a signal from outside, and back"
LAUNCH=srun RANKS_PER_NODE=1 submit "$root/jobs/multi_node.sbatch"
until_says 90 "resuming after step" && trains_on 60
is "$(job_field NumNodes)" 2 "nodes"
before
scancel --batch --signal=USR1 "$id" >>"$output" 2>&1
stopped_by_signal
comes_back 90
scancel "$id" >>"$output" 2>&1
ends 30 CANCELLED

new_case "submitted once more, on two nodes by mpirun: on from there"
RANKS_PER_NODE=1 submit "$root/jobs/multi_node.sbatch"
until_says 90 "resuming after step" && trains_on 60

# A job that wants both nodes now. It says what became of the one that has them.
urgent_job() { urgent=$(sbatch --parsable --partition=urgent --nodes=2 --exclusive --output="$scratch/urgent-$1" --wrap "squeue -h -j $id -o %T" 2>>"$output"); }
urgent_ran() { until_true 60 grep -q PENDING "$scratch/urgent-$1" || show_job "the urgent job did not run: $(job_field JobState "$urgent")"; }

new_case "a job that is more urgent: a checkpoint in the time of grace, on when the nodes are free"
before
urgent_job 1
stopped_by_signal
urgent_ran 1
comes_back 90

new_case "a node goes down: on from the newest checkpoint when it is back"
before
kill_node n2
scontrol update nodename=n2 state=down reason=test >>"$output" 2>&1
until_true 60 in_state PENDING || show_job "not back in the queue"
start_node n2
until_true 30 scontrol update nodename=n2 state=resume
until_true 40 node_state n2 || show_job "n2 is not back"
comes_back 90

new_case "a node is lost and Slurm has not seen it: the job puts itself back, on when the node is back"
trains_on 60 8    # past a checkpoint
before
went_back="ended with [0-9]+, .*: back into the queue"
times=$(count "$went_back")
kill_node n2
until_true 60 said_like $((times + 1)) "$went_back" || show_job "the job did not put itself back"
[[ $(sinfo -h -N -n n2 -o %T) != *down* ]] || fail "Slurm saw it first"
return_node n2
comes_back 120
is "$(count "stopped by a signal after step")" "$stopped" "times stopped by a signal"

new_case "a job that is more urgent where Slurm sends no signal: killed, on from the newest checkpoint"
sends_no_signal() { scontrol show config | grep -qE '^SlurmctldParameters *= *\(null\)'; }
sed -i '/^SlurmctldParameters=preempt_send_user_signal$/d' "$SLURM_CONF"
scontrol reconfigure >>"$output" 2>&1
until_true 30 sends_no_signal || show_job "Slurm still sends its signal"
before
urgent_job 2
urgent_ran 2
comes_back 90
is "$(count "stopped by a signal after step")" "$stopped" "times stopped by a signal"

new_case "the end: the weights of the run that nothing disturbed, bit for bit"
ends 240 COMPLETED 0
says "finished after step $steps"
job=$undisturbed
finish_job 120
exits 0
same_weights "$scratch/undisturbed" "$OUTPUT"
summary
