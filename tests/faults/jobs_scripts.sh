#!/usr/bin/env bash
# jobs/: what the config files mean, and the sbatch scripts run as plain bash with the variables that Slurm sets: mpirun's
# line, wrong paths, USR1 with requeueing, the next start. `scontrol` is a stand-in that notes its arguments. Called by
# tests/run_all.sh.
# shellcheck source=tests/faults/run_lib.sh
. "$(dirname "$0")/run_lib.sh"

# prints VALUES CONFIG [VERB]: the options that CONFIG gives, among them these `name = value` lines (what follows from the
# preset is printed as a comment)
prints() {
    local line
    run "$blip" "${3:-train}" --config "$2" --print-config
    exits 0
    while read -r line; do
        grep -qE "^(# )?$line *(#.*)?\$" "$output" || fail "$2: lacks $line: $(grep "^${line%% *} " "$output")"
    done <<<"$1"
}
paper='image-size = 384
epochs = 5
global-batch = 256
micro-batch = 32
augment = on
augment-operators = 2
min-lr = 0
weight-decay = 0.05
beta1 = 0.9
beta2 = 0.999
adam-eps = 1e-08
dropout = 0.1
label-smoothing = 0.1
num-beams = 3
max-length = 20
min-length = 5
length-penalty = 1
repetition-penalty = 0'
new_case "caption_coco.cfg is the paper's recipe for ViT-B"
prints "$paper
model = base
init-lr = 1e-05
vision-width = 768
vision-depth = 12
vision-heads = 12
text-hidden = 768
text-layers = 12" jobs/caption_coco.cfg
new_case "caption_coco_large.cfg is the paper's recipe for ViT-L"
prints "$paper
model = large
init-lr = 2e-06
drop-path = 0.1
vision-width = 1024
vision-depth = 24
vision-heads = 16
text-hidden = 768
text-layers = 12" jobs/caption_coco_large.cfg
new_case "the two recipes differ in what the paper says"
is "$(diff jobs/caption_coco.cfg jobs/caption_coco_large.cfg | sed -nE 's/^[<>] ([a-z0-9-]+) = .*/\1/p' | sort -u | tr '\n' ' ')" \
    "drop-path init-lr model " "options that differ"
new_case "demo.cfg trains the tiny preset"
prints "model = tiny" jobs/demo.cfg
new_case "every config file serves evaluate too"
for config in jobs/*.cfg; do
    prints "num-beams = 3" "$config" evaluate
done

new_case "what Slurm is asked for"
for script in jobs/*.sbatch; do
    for line in --signal=B:USR1@300 --requeue --open-mode=append --gpus-per-node=8 --gpu-bind=none --ntasks-per-node=8; do
        grep -qx -- "#SBATCH $line" "$script" || fail "$script: lacks #SBATCH $line"
    done
done

draw_sample 24    # 120 captions: 10 steps an epoch
mkdir -p "$scratch/spool" "$scratch/fake"
cp jobs/*.sbatch "$scratch/spool"    # as Slurm does: scripts know their folder from SLURM_SUBMIT_DIR alone
printf '#!/bin/sh\necho "$@" >>"%s/scontrol"\n' "$scratch" >"$scratch/fake/scontrol"
chmod +x "$scratch/fake/scontrol"
export PATH="$scratch/fake:$PATH" SLURM_SUBMIT_DIR=$root SLURM_JOB_ID=4711 SLURM_NNODES=1 SLURM_NTASKS_PER_NODE=2
export BLIP=$blip DATA=$data MICRO_BATCH=2 DEVICE=cpu
unset MODULES MPIRUN MPIRUN_OPTIONS NODES RANKS_PER_NODE CONFIG INIT OUTPUT OPTIONS BLIP_HOME
# The same options as `train` of run_lib.sh, over those of the config file.
tiny="${small[*]}"
# submit SCRIPT NAME=VALUE...: in $scratch, as Slurm starts it
submit() { run env -C "$scratch" "${@:2}" timeout -k 5 240 bash "$scratch/spool/$1.sbatch"; }
"$blip" train --data "$data" --output "$scratch/first" "${small[@]}" --micro-batch 2 --max-steps 1 --no-evaluate >"$scratch/.first" 2>&1
weights=$(last_checkpoint "$scratch/first")

new_case "multi_node: mpirun's line"
for nodes in 1 2 3 4; do
    submit multi_node MPIRUN=echo SLURM_NNODES=$nodes SLURM_NTASKS_PER_NODE=8 MICRO_BATCH=32
    exits 0
    micro_batch=$((nodes == 1 ? 32 : nodes == 2 ? 16 : 8))
    says "-np $((8 * nodes)) --map-by ppr:8:node --bind-to none $blip train --config $root/jobs/caption_coco.cfg"
    says "--output out --micro-batch $micro_batch"
    says "--dry-run"
done

new_case "wrong paths end the job before it begins, with the program's message and code"
submit single_node INIT="$weights" DATA=absent.h5 OUTPUT=never OPTIONS="$tiny --micro-batch 2"
exits 66; says "absent.h5"
leaves_nothing_like "$scratch/never*"
submit single_node INIT=absent.safetensors OUTPUT=never OPTIONS="$tiny --micro-batch 2"
exits 66; says "absent.safetensors"
submit single_node BLIP_HOME=/nowhere
exits 66

new_case "GPUs are demanded: without any the job ends before it begins"
submit multi_node -u DEVICE INIT="$weights" OUTPUT=never OPTIONS="$tiny"
exits 66; says "--device cuda, but no GPU for rank 0, 1"
leaves_nothing_like "$scratch/never*"

new_case "modules are loaded"
module() { echo "module $*"; }
export -f module
submit single_node MPIRUN=echo MODULES="gcc/12 openmpi"
exits 0; says "module load gcc/12 openmpi"
unset -f module

for script in single_node multi_node; do
    options=$tiny
    [ $script = multi_node ] || options+=" --micro-batch 2"
    new_case "$script: stopped by USR1, requeued, resumed, finished"
    rm -f "$scratch/scontrol"
    out=$scratch/$script
    start env -C "$scratch" INIT="$weights" OUTPUT="$out" OPTIONS="$options --epochs 3" bash "$scratch/spool/$script.sbatch"
    wait_for 90 step_logged "$out" 13
    kill -USR1 "$job"
    finish_job 60
    exits 85; says "start 1"; says "stopped by a signal after step"; says "back into the queue"
    is "$(cat "$scratch/scontrol" 2>/dev/null)" "requeue 4711" "calls of scontrol"
    [ -n "$(last_checkpoint "$out")" ] || fail "no checkpoint"
    submit $script INIT="$weights" OUTPUT="$out" OPTIONS="$options --epochs 3" SLURM_RESTART_COUNT=1
    exits 0; says "start 2"; says "resuming after step"; says "finished after step 30"
    is "$(wc -l <"$scratch/scontrol")" 1 "calls of scontrol"
done

# The commands of Flux and PBS that train.flux and train.pbs use, as far as a single node goes.
cat >"$scratch/fake/flux" <<'FLUX'
#!/bin/sh
case "$*" in
    "getattr size") echo 1 ;;
    "job timeleft") echo 305 ;;
    "job killall --force --signal=SIGUSR1") kill -USR1 $(cat "$FAKE/launcher") ;;
    run*)
        echo "$@" | tail -n 1 >>"$FAKE/called"
        echo $$ >"$FAKE/launcher"
        while [ "$1" != -n ]; do shift; done
        shift 2
        exec env -u FLUX_JOB_ID mpirun -np 2 "$@" # it looks for a real Flux otherwise
        ;;
    *) echo "$@" >>"$FAKE/called" ;;
esac
FLUX
printf '#!/bin/sh\necho "$@" >>"%s/fake/called"\n' "$scratch" >"$scratch/fake/qsub"
chmod +x "$scratch/fake/flux" "$scratch/fake/qsub"
printf '%s\n' localhost localhost >"$scratch/nodes"
# other_queue SCRIPT NAME=VALUE...: outside Slurm, with a run too long for the time that is left
other_queue() {
    rm -f "$scratch/fake/called"
    run env -u SLURM_JOB_ID -u SLURM_NNODES -u SLURM_NTASKS_PER_NODE -u SLURM_SUBMIT_DIR -C "$scratch" FAKE="$scratch/fake" \
        BLIP_HOME="$root" RANKS_PER_NODE=2 INIT="$weights" OPTIONS="$tiny --epochs 1000" "${@:2}" timeout -k 5 240 bash "$root/jobs/$1"
    exits 85; says "back into the queue"
}
new_case "train.flux: flux run, stopped before its time is over, submitted again"
other_queue train.flux FLUX_JOB_ID=f1 OUTPUT="$scratch/flux"
grep -q -- "^run .* -N 1 -n 2 $blip train .* --micro-batch 2 " "$scratch/fake/called" || fail "$(cat "$scratch/fake/called")"
is "$(tail -n 1 "$scratch/fake/called")" "--parent batch -N 1 $root/jobs/train.flux" "how it is submitted again"
new_case "train.pbs: mpirun over the nodes of the job, stopped before its time is over, submitted again"
other_queue train.pbs PBS_JOBID=1.pbs PBS_O_WORKDIR="$scratch" PBS_NODEFILE="$scratch/nodes" STOP_AFTER_S=5 OUTPUT=pbs
is "$(cat "$scratch/fake/called")" "-V $root/jobs/train.pbs" "how it is submitted again"
[ -s "$scratch/pbs/log.txt" ] || fail "not in the folder it was submitted from"

new_case "evaluate: scores and captions"
submit evaluate INIT="$scratch/single_node/best" OUTPUT="$scratch/scores" OPTIONS="${shape[*]} --threads 1"
exits 0
for file in evaluate.json result/val.json result/test.json; do
    [ -s "$scratch/scores/$file" ] || fail "no $file"
done
summary
