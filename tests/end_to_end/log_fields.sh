#!/usr/bin/env bash
# Each record of real runs against jobs/log.md: what is not documented there fails, and so does what no run writes. Trained
# with evaluations, killed and resumed, stopped, self-critical, grouped, with warnings of GPUs. And the check itself: a member
# more, less or of another type is found.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
# shellcheck source=tests/support/gpu_lib.sh
. "$(dirname "$0")/../support/gpu_lib.sh"
draw_sample 24
runs=() without=()

new_case "a run with evaluations on two ranks, killed and resumed"
small_run=("${small[@]}")
small=("${small[@]/--no-peak/--no-progress}") # the share of the peak is measured
out=$scratch/killed
start_train 2 "$out" --epochs 2 --checkpoint-every 4 --log-sample-ids
wait_for 60 whole_checkpoint "$out" 12
# shellcheck disable=SC2046
kill -9 $(ranks_of "$job") "$job" 2>/dev/null
wait "$job" 2>/dev/null
train 2 "$out" --epochs 2 --checkpoint-every 4 --log-sample-ids
exits 0; says "resuming after step"
runs+=("$out")
small=("${small_run[@]}")

new_case "one that is stopped by a signal"
start_train 1 "$scratch/stopped" --epochs 40 --no-evaluate
wait_for 60 step_logged "$scratch/stopped" 3
kill -USR1 "$job"
finish_job
is "$status" 85 "exit"
runs+=("$scratch/stopped")

new_case "pictures with several captions"
train 1 "$scratch/grouped" --epochs 1 --no-evaluate --captions-per-picture 3 --micro-batch 3
exits 0
runs+=("$scratch/grouped")

new_case "captions that learn from their score, from trained weights, and resumed"
micro=12 train 1 "$scratch/start" --epochs 20 --no-evaluate --init-lr 3e-3
exits 0
learn=(--objective self-critical --samples-per-picture 3 --init "$(last_checkpoint "$scratch/start")" --dropout 0 --epochs 2 --limit 2)
micro=3 train 1 "$scratch/rewarded" "${learn[@]}" --max-steps 7
exits 0
micro=3 train 1 "$scratch/rewarded" "${learn[@]}"
exits 0; says "resuming after step 7"
micro=3 train 1 "$scratch/near" "${learn[@]}" --kl 0.1 --max-steps 1
exits 0
runs+=("$scratch/start" "$scratch/rewarded" "$scratch/near")

new_case "GPUs that get hot"
if [ ! -x "$build/tests/blip_mpi_fake_cuda" ]; then
    without=(--without gpus)
    skip_case "built without CUDA"
else
    play_gpus
    is_so 10 "${healthy[@]/reasons 0x4/reasons 0x40}"
    is_so 11 "${healthy[@]}"
    reports 10
    LD_LIBRARY_PATH=$scratch/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} blip=$(realpath "$build/tests/blip_mpi_fake_cuda") \
        train 2 "$scratch/hot" --device cuda --epochs 1 --no-evaluate
    exits 0; says "slowed down by heat"
    runs+=("$scratch/hot")
fi

fields() { run python3 "$root/tests/support/log_fields.py" "$@"; }
new_case "every member is documented, and every documented one is written"
fields "$root/jobs/log.md" "${without[@]}" "${runs[@]}"
exits 0; says "members are as documented"

new_case "a member that is not documented, one that is not written, another type: each is found"
sed '/^| loss |/d; s/^| lr | number/| lr | integer/; s/^| bytes |/| bytes, megabytes |/; s/^| step_s, left_s |/| step_s, left_s, done_s |/' \
    "$root/jobs/log.md" >"$scratch/other.md"
fields "$scratch/other.md" "${without[@]}" "${runs[@]}"
exits 1
says "step: loss is not documented"; says "step: lr is "; says "not integer"; says "checkpoint: megabytes is documented, and no run has it"
says "checkpoint: megabytes is not in each record"; says "pace: done_s is documented, and no run has it"
sed '/^## pace/,/^## checkpoint/{/^## checkpoint/!d}' "$root/jobs/log.md" >"$scratch/other.md"
fields "$scratch/other.md" "${without[@]}" "${runs[@]}"
exits 1; says "the kind pace is not documented"
summary
