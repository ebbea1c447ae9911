#!/usr/bin/env bash
# test: timed
# Every job script of jobs/ submitted to a real Slurm as it stands, its settings by the environment: one node, two nodes with
# mpirun and with srun, evaluation, seeds, a chain; what they ask for; wrong paths.
# shellcheck source=tests/support/cluster_lib.sh
. "$(dirname "$0")/../support/cluster_lib.sh"
job_settings
draw_sample 24    # 120 captions: 10 steps an epoch
start_cluster
"$blip" train --data "$data" --output "$scratch/first" "${small[@]}" --micro-batch 2 --max-steps 1 --no-evaluate >"$scratch/.first" 2>&1
INIT=$(last_checkpoint "$scratch/first")
export INIT OPTIONS="${small[*]} --epochs 2"

new_case "before it waits in a queue: a wrong path is found in seconds"
run env -C "$scratch" OUTPUT="$scratch/never" DATA=absent.h5 bash "$root/jobs/single_node.sbatch" --micro-batch 2 --dry-run
exits 66; says "absent.h5"
# The default device is the GPU, which a login node has not.
run env -C "$scratch" -u DEVICE OUTPUT="$scratch/never" bash "$root/jobs/multi_node.sbatch" --dry-run
exits 0; says "nothing was trained or written"
leaves_nothing_like "$scratch/never*"

OUTPUT=$scratch/single submit "$root/jobs/single_node.sbatch" --micro-batch 2
single=$id
DATA=absent.h5 OUTPUT=$scratch/never submit "$root/jobs/single_node.sbatch" --micro-batch 2
wrong=$id

new_case "single_node.sbatch: two ranks on a node, to the end"
of_job "$single"
ends 120 COMPLETED 0
says "start 1"; says "finished after step 20"

new_case "in the job: a wrong path ends it before it begins"
of_job "$wrong"
ends 60 FAILED 66
says "absent.h5"
leaves_nothing_like "$scratch/never*"

# Queued together: they run as nodes come free.
declare -A job_of
for launch in mpirun srun; do
    LAUNCH=$launch RANKS_PER_NODE=1 OUTPUT=$scratch/multi-$launch submit "$root/jobs/multi_node.sbatch"
    job_of[multi-$launch]=$id
done
# A program that tells what the ranks of a job see.
printf '#!/bin/sh\necho "rank on $SLURMD_NODENAME sees $CUDA_VISIBLE_DEVICES"\n' >"$scratch/see"
chmod +x "$scratch/see"
for launch in mpirun srun; do
    LAUNCH=$launch BLIP=$scratch/see submit "$root/jobs/multi_node.sbatch"
    job_of[see-$launch]=$id
done
INIT=$scratch/single/best OUTPUT=$scratch/scores OPTIONS="${shape[*]} --threads 1" submit "$root/jobs/evaluate.sbatch"
job_of[evaluate]=$id
LAUNCH=srun OUTPUT=$scratch/seeds OPTIONS="${small[*]} --epochs 6" submit --array=1-2 "$root/jobs/seeds.sbatch" --micro-batch 2
job_of[seeds]=$id

for launch in mpirun srun; do
    new_case "multi_node.sbatch: a rank on each of two nodes, by $launch"
    of_job "${job_of[multi-$launch]}"
    ends 120 COMPLETED 0
    says "finished after step 20"
    is "$(job_field NumNodes)" 2 "nodes"
    same_weights "$scratch/single" "$scratch/multi-$launch"
done
for launch in mpirun srun; do
    new_case "GPUs: every rank of a node sees all eight, by $launch"
    of_job "${job_of[see-$launch]}"
    ends 60 COMPLETED 0
    for node in n1 n2; do
        # two ranks, in the trial and in the run
        is "$(grep -c "rank on $node sees 0,1,2,3,4,5,6,7\$" "$output")" 4 "ranks on $node"
    done
    [ -n "${gpu_devices:-}" ] || skip_case "no right to make devices (mknod): GPUs are only counted"
done
new_case "evaluate.sbatch: scores and captions"
of_job "${job_of[evaluate]}" -evaluate
ends 60 COMPLETED 0
for file in evaluate.json result/val.json result/test.json; do
    [ -s "$scratch/scores/$file" ] || fail "no $file"
done

new_case "seeds.sbatch: an array, each from a seed of its own, by srun; one that is stopped comes back by itself"
seeds=${job_of[seeds]}
of_job "${seeds}_2" -seeds
until_step 60 "$scratch/seeds/seed-2" 5
scancel --batch --signal=USR1 "$id" >>"$output" 2>&1
until_says 60 "stopped by a signal after step" && until_says 60 "back into the queue"
ends 120 COMPLETED 0
says "resuming after step"; says "finished after step 60"; says " seed=2"
of_job "${seeds}_1" -seeds
ends 120 COMPLETED 0
says "finished after step 60"; says " seed=1"; says_not "start 2"
log_query "
assert logs[0].keys() == logs[1].keys() and len(logs[0]) == 60, (len(logs[0]), len(logs[1]))
assert all(logs[0][step]['loss'] != logs[1][step]['loss'] for step in logs[0])" "$scratch/seeds/seed-1" "$scratch/seeds/seed-2"

new_case "chain.sh: jobs that may not go back into the queue follow one another until one finishes"
run env -C "$scratch" -u OMPI_MCA_plm OUTPUT="$scratch/chain" "$root/jobs/chain.sh" 3 --time=60 "$root/jobs/single_node.sbatch" --micro-batch 2
exits 0
mapfile -t chain <"$output"
is "${#chain[@]}" 3 "jobs"
of_job "${chain[0]}"
until_step 60 "$scratch/chain" 5
scancel --batch --signal=USR1 "$id" >>"$output" 2>&1
ends 60 FAILED 85
says "submit the same line again"
of_job "${chain[1]}"
ends 120 COMPLETED 0
says "resuming after step"; says "finished after step 20"
same_weights "$scratch/single" "$scratch/chain"
of_job "${chain[2]}"
until_true 30 in_state CANCELLED || show_job "the rest of the chain is still there"
[ ! -e "$log" ] || fail "the rest of the chain began"
summary
