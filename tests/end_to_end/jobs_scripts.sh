#!/usr/bin/env bash
# test: timed
# jobs/: what the config files mean, and the sbatch scripts run as plain bash with the variables that Slurm sets: mpirun's
# line, wrong paths, USR1 with requeueing, the next start, starts without progress. `scontrol` is a stand-in that notes its
# arguments, and `launcher` one for mpirun that ends as it is told.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"

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
printf '#!/bin/sh\necho "$@" >>"%s/scontrol"\nexit ${SCONTROL_ENDS:-0}\n' "$scratch" >"$scratch/fake/scontrol"
chmod +x "$scratch/fake/scontrol"
export PATH="$scratch/fake:$PATH" SLURM_SUBMIT_DIR=$root SLURM_JOB_ID=4711 SLURM_NNODES=1 SLURM_NTASKS_PER_NODE=2
export BLIP=$blip DATA=$data MICRO_BATCH=2 DEVICE=cpu
unset BLIP_CHAIN REQUEUE STOP_AFTER_S MODULES MPIRUN MPIRUN_OPTIONS NODES RANKS_PER_NODE CONFIG INIT OUTPUT OPTIONS BLIP_HOME
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
submit multi_node MPIRUN=echo SLURM_NNODES=4 SLURM_NTASKS_PER_NODE=8 MICRO_BATCH=32 OPTIONS="--global-batch 1024 --global-batch=512"
exits 0; says "--output out --micro-batch 16 "

for recipe in caption_coco_grouped self_critical; do
    # 5 captions of a picture: 40, 20, 10, 5
    for nodes in 1 2 16; do
        submit multi_node -u MICRO_BATCH MPIRUN=echo CONFIG="$root/jobs/$recipe.cfg" SLURM_NNODES=$nodes SLURM_NTASKS_PER_NODE=8
        exits 0; says "--output out --micro-batch $((nodes == 1 ? 40 : nodes == 2 ? 20 : 5)) "
    done
done

new_case "wrong paths end the job before it begins, with the program's message and code"
submit single_node INIT="$weights" DATA=absent.h5 OUTPUT=never OPTIONS="$tiny --micro-batch 2"
exits 66; says "absent.h5"
leaves_nothing_like "$scratch/never*"
submit single_node INIT=absent.safetensors OUTPUT=never OPTIONS="$tiny --micro-batch 2"
exits 66; says "absent.safetensors"
submit single_node BLIP_HOME=/nowhere
exits 66
submit single_node BLIP=/nowhere/blip_mpi
exits 66; says "BLIP=/nowhere/blip_mpi: no such program"
submit single_node MODULES=gcc
exits 66; says "MODULES=gcc: this host has no command module"

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

# before_queueing SCRIPT NAME=VALUE...: the trial outside of a job
before_queueing() { run env -u SLURM_JOB_ID -C "$scratch" INIT="$weights" OUTPUT=never OPTIONS="$tiny --micro-batch 2" "${@:2}" bash "$root/jobs/$1" --dry-run; }
new_case "the trial before queueing names settings that would fail when the job's turn comes"
before_queueing single_node.sbatch LAUNCH=foo
exits 64; says "LAUNCH=foo: one of mpirun, srun, flux"
before_queueing single_node.sbatch MPIRUN=/nope/mpirun
exits 66; says "/nope/mpirun: no such program"
before_queueing train.pbs MPIRUN=/nope/mpirun
exits 66; says "/nope/mpirun: no such program"
before_queueing evaluate.sbatch RANKS_PER_NODE=banana
exits 64; says "RANKS_PER_NODE=banana: a whole number from 1 is needed"
before_queueing single_node.sbatch NODES=0
exits 64; says "NODES=0: a whole number from 1 is needed"
echo file >"$scratch/plain"
for place in plain plain/below /proc/x; do
    before_queueing single_node.sbatch OUTPUT=$place
    exits 74; says "--output $place: cannot create the folder"
done
before_queueing evaluate.sbatch OUTPUT=plain OPTIONS="${shape[*]} --threads 1"
exits 74; says "--output plain"
new_case "it tells the memory of the ranks that will run, warns of idle ones, and leaves nothing"
before_queueing single_node.sbatch RANKS_PER_NODE=3 OUTPUT=never/to/be
exits 0; says "memory of a rank of 3:"; says "gradients received from other ranks"; says_not warning
before_queueing single_node.sbatch RANKS_PER_NODE=4
exits 0; says "warning: 2 of 4 ranks wait in every step while the others compute one micro-batch more: 6 are dealt to them"
before_queueing single_node.sbatch RANKS_PER_NODE=7
exits 0; says "warning: 1 of 7 ranks have nothing to do: a step has 6 micro-batches"
leaves_nothing_like "$scratch/never*"
[ "$(cat "$scratch/plain")" = file ] || fail "the file is another"

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

# launcher: ends with $DRY in the trial and with $ENDS after it, having written checkpoint $STEP; with $SIGNALS it waits for so
# many USR1 and ends with 85; with $STOPS=dry it sends the job the signal during the trial.
cat >"$scratch/fake/launcher" <<'LAUNCHER'
#!/bin/bash
case " $* " in *" --dry-run "*)
    [ "${STOPS:-}" != dry ] || kill -USR1 $PPID
    exit "${DRY:-0}" ;;
esac
echo "$@" >>"$FAKE/launched"
if [ -n "${SIGNALS:-}" ]; then
    got=0
    trap 'got=$((got + 1))' USR1
    echo ready >"$FAKE/ready"
    for ((at = 0; at < 200 && got < SIGNALS; ++at)); do sleep 0.1; done
    [ $got -ge $SIGNALS ] || exit 99
fi
if [ -n "${STEP:-}" ]; then
    mkdir -p "$FAKE/../stub/checkpoints/step-$STEP"
    echo whole >"$FAKE/../stub/checkpoints/step-$STEP/manifest.json"
fi
exit "${ENDS:-85}"
LAUNCHER
printf '#!/bin/sh\necho "${NODES_ARE:-idle}"\n' >"$scratch/fake/sinfo"
printf '#!/bin/sh\necho "12 $BLIP_CHAIN\n13 $BLIP_CHAIN\n14 other"\n' >"$scratch/fake/squeue"
printf '#!/bin/sh\necho "$@" >>"%s/scancel"\n' "$scratch" >"$scratch/fake/scancel"
chmod +x "$scratch"/fake/*
export FAKE=$scratch/fake
# stub CODE NAME=VALUE...: a start with that launcher; requeues COUNT: so many since the last anew
stub() {
    submit "${script:-single_node}" MPIRUN="$FAKE/launcher" OUTPUT="$scratch/stub" "${@:2}"
    exits "$1"
}
anew() { rm -rf "$scratch"/{stub,scontrol,scancel} "$FAKE"/{launched,ready}; }
requeues() { is "$(wc -l 2>/dev/null <"$scratch/scontrol" || echo 0)" "$1" "calls of scontrol"; }
script=single_node

for ends in 1 137 143 255 139; do
    new_case "a launcher that ends with $ends: back into the queue$([ $ends != 1 ] || echo ", until two starts in a row made no progress")"
    anew
    stub $ends ENDS=$ends STEP=00000010; says ": back into the queue"; says "after checkpoint step-00000010"; requeues 1
    [ $ends = 1 ] || continue
    stub $ends ENDS=$ends; says ": back into the queue"; says "without a new checkpoint (step-00000010 is the newest)"; requeues 2
    stub $ends ENDS=$ends STEP=00000010.1; says "second start without progress"; says_not ": back into the queue"; requeues 2
    # submitted again, the count is a new one
    stub $ends ENDS=$ends; requeues 3
done
new_case "70 goes back only when a node of the job does not answer"
anew
stub 70 ENDS=70 SLURM_JOB_NODELIST=n1; requeues 0
stub 70 ENDS=70 SLURM_JOB_NODELIST=n1 NODES_ARE='idle*'; requeues 1
new_case "codes that another start would end with pass through; so does a full disk after a signal"
anew
for ends in 64 65 66 74; do
    stub $ends ENDS=$ends; says_not "== ended"; requeues 0
    stub $ends DRY=$ends; requeues 0
done
start env -C "$scratch" MPIRUN="$FAKE/launcher" OUTPUT="$scratch/stub" ENDS=74 SIGNALS=1 bash "$scratch/spool/single_node.sbatch"
wait_for 20 test -e "$FAKE/ready"
kill -USR1 "$job"
finish_job 20
exits 74; says_not "checkpoint"; requeues 0
new_case "a signal in every trial: the second time the job stays out of the queue, and says what to do"
anew
stub 85 STOPS=dry; says "back into the queue"; says_not "after checkpoint"; requeues 1
stub 85 STOPS=dry; says "a longer --time"; requeues 1
[ ! -e "$FAKE/launched" ] || fail "the run began after the signal"
new_case "--fresh: the folder that an earlier start of the same job made does not count"
anew
stub 1 ENDS=1 OPTIONS=--fresh
stub 1 ENDS=1 OPTIONS=--fresh
is "$(grep -c -- --fresh "$FAKE/launched")" 1 "starts with --fresh"
new_case "evaluate: stopped, it does not go back; where a node was lost it does, once"
anew
script=evaluate
stub 85 ENDS=85; says "keeps nothing between starts"; says "a longer --time"; requeues 0
stub 1 ENDS=1; requeues 1
stub 1 ENDS=1; requeues 1
script=single_node
new_case "where requeueing is refused: only that is said"
anew
stub 85 SCONTROL_ENDS=1 STEP=00000010; says "does not go back into the queue by itself"; says_not ": back into the queue"
new_case "a chain ends where the next job would end in the same way, and goes on otherwise"
anew
stub 85 BLIP_CHAIN=c SCONTROL_ENDS=1 STEP=00000010
[ ! -e "$scratch/scancel" ] || fail "cancelled after a checkpoint"
stub 66 BLIP_CHAIN=c DRY=66; says "the rest of the chain is cancelled"
is "$(cat "$scratch/scancel" 2>/dev/null)" "12 13" "jobs that are cancelled"
new_case "a launcher that loses the first signal is told again"
anew
start env -C "$scratch" MPIRUN="$FAKE/launcher" OUTPUT="$scratch/stub" SIGNALS=2 STEP=00000010 bash "$scratch/spool/single_node.sbatch"
wait_for 20 test -e "$FAKE/ready"
kill -USR1 "$job"
finish_job 20
exits 85; says "back into the queue"
new_case "STOP_AFTER_S leaves no process behind"
anew
stub 0 ENDS=0 STOP_AFTER_S=4321 LEFT_BY="$scratch"
sleep 1
for file in $(grep -lzxF "LEFT_BY=$scratch" /proc/[0-9]*/environ 2>/dev/null); do
    fail "left behind: $(tr '\0' ' ' <"${file%environ}cmdline")"
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
    *) printf "<%s>" "$@" >>"$FAKE/called" ;;
esac
FLUX
printf '#!/bin/sh\nprintf "<%%s>" "$@" >>"%s/fake/called"; echo "$MPIRUN_OPTIONS" >"%s/fake/options"\n' "$scratch" "$scratch" >"$scratch/fake/qsub"
chmod +x "$scratch/fake/flux" "$scratch/fake/qsub"
printf '%s\n' localhost localhost >"$scratch/nodes"
# other_queue SCRIPT NAME=VALUE...: outside Slurm, with a run too long for the time that is left
other_queue() {
    rm -f "$scratch/fake/called"
    run env -u SLURM_JOB_ID -u SLURM_NNODES -u SLURM_NTASKS_PER_NODE -u SLURM_SUBMIT_DIR -C "$scratch" FAKE="$scratch/fake" \
        BLIP_HOME="$scratch/home of blip" DATA="$scratch/a sample.h5" RANKS_PER_NODE=2 INIT="$weights" OPTIONS="$tiny --epochs 1000" "${@:2}" timeout -k 5 240 bash "$root/jobs/$1" ${last_option:+"$last_option"}
    exits 85; says "back into the queue"
}
ln -s "$root" "$scratch/home of blip"
ln -s "$data" "$scratch/a sample.h5"
new_case "train.flux: flux run, stopped before its time is over, submitted again"
last_option=--keep=3
other_queue train.flux FLUX_JOB_ID=f1 OUTPUT="$scratch/a flux"
last_option=
[ -s "$scratch/a flux/log.txt" ] || fail "not in the folder with a blank in its name"
grep -q -- "^run .* -N 1 -n 2 $blip train .* --micro-batch 2 " "$scratch/fake/called" || fail "$(cat "$scratch/fake/called")"
is "$(tail -n 1 "$scratch/fake/called")" "<--parent><batch><-N><1><$scratch/home of blip/jobs/train.flux><--keep=3>" "how it is submitted again"
new_case "train.pbs: mpirun over the nodes of the job, stopped before its time is over, submitted again"
other_queue train.pbs PBS_JOBID=1.pbs PBS_O_WORKDIR="$scratch" PBS_NODEFILE="$scratch/nodes" STOP_AFTER_S=5 OUTPUT="a pbs" MPIRUN_OPTIONS="--tag-output"
is "$(cat "$scratch/fake/called")" "<-V><$scratch/home of blip/jobs/train.pbs>" "how it is submitted again"
is "$(cat "$scratch/fake/options")" "--tag-output" "what qsub -V hands on"
[ -s "$scratch/a pbs/log.txt" ] || fail "not in the folder it was submitted from"

new_case "evaluate: scores and captions"
submit evaluate INIT="$scratch/single_node/best" OUTPUT="$scratch/scores" OPTIONS="${shape[*]} --threads 1"
exits 0
for file in evaluate.json result/val.json result/test.json; do
    [ -s "$scratch/scores/$file" ] || fail "no $file"
done

new_case "make test-slurm fails where Slurm cannot be had; make test-all skips"
printf '#!/bin/sh\necho 1000\n' >"$scratch/fake/id"
chmod +x "$scratch/fake/id"
run bash tests/slurm/interruptions.sh
exits 0; says "0 passed, 0 failed, 1 skipped"
run env REQUIRE_SLURM=1 bash tests/slurm/interruptions.sh
exits 1; says "0 passed, 1 failed, 0 skipped"
run make -n test-slurm
says "REQUIRE_SLURM=1"
summary
