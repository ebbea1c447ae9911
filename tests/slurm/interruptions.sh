#!/usr/bin/env bash
# One run through all that a cluster does to jobs, under a real Slurm: its time limit, two more signals, requeueing, a
# cancellation, a preemption by a job that is more urgent, and a node that loses its power. It has to end with the weights,
# bit for bit, of the same run undisturbed. Called by tests/run_all.sh.
# shellcheck source=tests/slurm/cluster_lib.sh
. "$(dirname "$0")/cluster_lib.sh"
job_settings
start_cluster
started=$SECONDS
draw_sample 24    # 120 captions: 10 steps an epoch

# As many steps as take 35 seconds on one core here, so that there is something to interrupt on machines of any speed.
"$blip" train --data "$data" --output "$scratch/first" "${small[@]}" --micro-batch 2 --max-steps 10 --no-evaluate >"$scratch/.first" 2>&1
INIT=$(last_checkpoint "$scratch/first")
epochs=$(python3 -c '
import json, sys
records = [json.loads(line) for line in open(sys.argv[1])]
times = sorted(record["step_ms"] for record in records if record["kind"] == "step")
print(max(15, min(150, round(35000 / 10 / times[0]))))' "$scratch/first/log.jsonl") || epochs=50
steps=$((10 * epochs))
export INIT OUTPUT=$scratch/run OPTIONS="${small[*]} --epochs $epochs --checkpoint-every 5 --no-evaluate"
# The same run undisturbed goes on beside the waiting for Slurm.
start_train 2 "$scratch/undisturbed" --init "$INIT" --epochs "$epochs" --checkpoint-every 5 --no-evaluate
undisturbed=$job

# count TEXT: how often the job's log says it
count() { grep -cE -- "$1" "$log" 2>/dev/null; }
# before an interruption; comes_back SECONDS: Slurm has started the job once more, it has resumed and done some steps since
before() { restarts=$(job_field Restarts) resumed=$(count "resuming after step") stopped=$(count "stopped by a signal after step"); }
comes_back() {
    local step
    until_says "$1" "resuming after step" $((resumed + 1)) || return
    is "$(job_field Restarts)" $((restarts + 1)) "restarts"
    trains_on "$1"
}
trains_on() {
    local step
    step=$(grep -oE 'resuming after step [0-9]+' "$log" | tail -n 1 | grep -oE '[0-9]+')
    until_step "$1" "$OUTPUT" $((step + 3))
}
stopped_by_signal() { until_says 60 "stopped by a signal after step" $((stopped + 1)); }

new_case "the time limit: Slurm's signal, a checkpoint, back into the queue, on from there"
# Slurm looks every 30 seconds at what is over time: this makes its signal come eight seconds after the start, or so. Where
# the first one comes before the first step, the next one counts.
sleep $(((50 - (SECONDS - started) % 30) % 30))
SBATCH_TIMELIMIT=1 SBATCH_SIGNAL=B:USR1@50 submit "$root/jobs/single_node.sbatch" --micro-batch 2
cut_in_training() { grep -qE "stopped by a signal after step [1-9]" "$log"; }
until_true 120 cut_in_training || show_job "not stopped at its time limit"
before
until_true 60 in_state PENDING
scontrol update "jobid=$id" timelimit=60 >>"$output" 2>&1
until_says 60 "resuming after step" && trains_on 60
[ "$(job_field Restarts)" -ge 1 ] || show_job "not requeued"

for time in second third; do
    new_case "stopped for the $time time, by a signal from outside"
    before
    scancel --batch --signal=USR1 "$id" >>"$output" 2>&1
    stopped_by_signal
    comes_back 90
done

new_case "scontrol requeue: killed, and on from the newest checkpoint"
before
scontrol requeue "$id" >>"$output" 2>&1
comes_back 90

new_case "scancel: the job ends for good"
scancel "$id" >>"$output" 2>&1
ends 30 CANCELLED
says_not "finished after"

new_case "submitted again, on two nodes: on from there"
RANKS_PER_NODE=1 submit "$root/jobs/multi_node.sbatch"
until_says 90 "resuming after step" && trains_on 60
is "$(job_field NumNodes)" 2 "nodes"

new_case "a job that is more urgent: a checkpoint in the time of grace, on when the nodes are free"
before
urgent=$(sbatch --parsable --partition=urgent --nodes=2 --exclusive --output="$scratch/urgent" --wrap "squeue -h -j $id -o %T" 2>>"$output")
stopped_by_signal
until_true 60 grep -q PENDING "$scratch/urgent" || show_job "the urgent job did not run: $(job_field JobState "$urgent")"
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

new_case "the end: the weights of the run that nothing disturbed, bit for bit"
ends 240 COMPLETED 0
says "finished after step $steps"
job=$undisturbed
finish_job 120
exits 0
same_weights "$scratch/undisturbed" "$OUTPUT"
summary
