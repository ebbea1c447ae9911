#!/usr/bin/env bash
# Runs the test programs of BUILD (default build) and the fault scripts; called by `make test`, `make test-golden`.
#   run_all.sh [PATTERN]   only names that match PATTERN (unit_text, golden, ranks, faults, a|b ...); PATTERN/FILTER hands
#                          FILTER to Boost.Test (--run_test), e.g. golden/wordpiece*
# One line per program; the output of one that fails is shown in full. Each must end with "N passed, N failed, N skipped";
# a missing summary or a crash counts as a failure. What was skipped, and how much was compared with golden data, is shown.
# The last line sums them; exit 1 if anything failed.
# FAULTS=long runs the fault scripts that have one in their long form (make test-faults; tests/faults/README.md).
# Two programs run at a time: what takes processor time but no account of it runs beside what waits, signals and measures.
# SANITIZE=1 or thread: the programs of BUILD are of such a build (tests/sanitize).
# REQUIRE_GPU=1 turns tests skipped for want of a GPU into failures, REQUIRE_SLURM=1 those for want of a Slurm.
set -u
cd "$(dirname "$0")/.." || exit 70
. env/mpi.sh
build=${BUILD:-build}
pattern=${1:-} filter=
case $pattern in
    faults/* | slurm/* | */*.sh) ;;
    */*) filter=${pattern#*/} pattern=${pattern%%/*} ;;
esac
export BLIP_ROOT=$PWD BLIP_BUILD=$build BOOST_TEST_COLOR_OUTPUT=no BOOST_TEST_CATCH_SYSTEM_ERRORS=yes
# Threads that wait for one another, spinning, on cores that the other program has: four times as long.
export OMP_WAIT_POLICY=passive
one_thread=(env OMP_NUM_THREADS=1) # not for the scripts: nproc obeys it
rank_counts="1 2 3"
left_out() { return 1; }
# shellcheck source=tests/sanitize/env.sh
[ -z "${SANITIZE:-}" ] || . tests/sanitize/env.sh
logs=$(mktemp -d) || exit 74
trap 'rm -rf "$logs"' EXIT
trap 'stop 130' INT
trap 'stop 143' TERM
passed=0 failed=0 skipped=0 programs=0

wanted() { [[ $1 =~ $pattern ]]; }
stop() { # EXIT-CODE
    [ -z "${lane:-}${program:-}" ] || kill ${lane:-} ${program:-} 2>/dev/null # timeout passes it on to all of its program
    wait
    exit "$1"
}
# execute LOG NAME SECONDS COMMAND...: one program, at most SECONDS; its exit code and how long it took go into LOG.end.
execute() {
    local log=$1 name=$2 limit=$3 start=$SECONDS reason rc
    shift 3
    if reason=$(left_out "$name"); then
        set -- printf '%s\n' "skipped: $name ($reason)" '0 passed, 0 failed, 1 skipped'
    fi
    # A program in the background would ignore INT, and could not be sent one.
    env --default-signal=INT,QUIT timeout --kill-after=10 "$limit" "$@" >"$log" 2>&1 </dev/null &
    program=$!
    wait "$program"
    rc=$?
    program=
    printf '%s %s\n' $rc $((SECONDS - start)) >"$log.took"
    mv "$log.took" "$log.end"
}
# report LOG NAME SECONDS: counts what it says, and shows what a reader wants
report() {
    local log=$1 name=$2 limit=$3 rc=1 took=0 summary p f s gpu
    programs=$((programs + 1))
    read -r rc took <"$log.end"
    summary=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$log" | tail -n 1)
    read -r p f s <<<"$(sed -E 's/ (passed|failed|skipped),?//g' <<<"$summary")"
    if [ -z "$summary" ]; then
        p=0 f=1 s=0
    elif [ "$rc" -ne 0 ] && [ "$f" -eq 0 ]; then
        f=1
    fi
    if [ "${REQUIRE_GPU:-0}" = 1 ]; then
        gpu=$(grep -cE '^skipped: .*\(no GPU' "$log")
        f=$((f + gpu)) s=$((s - gpu))
    fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    if [ "$f" -gt 0 ]; then
        printf -- '---- %s (exit %s%s) ----\n' "$name" "$rc" "$([ $rc -ge 124 ] && [ $rc -ne 125 ] && echo ", killed or out of time, limit $limit s")"
        cat "$log"
        printf -- '----\n'
    else
        grep -E '^(skipped|compared): ' "$log"
    fi
    printf '%-34s %4d passed %3d failed %3d skipped %5d s\n' "$name" "$p" "$f" "$s" "$took"
}
run() { # NAME SECONDS COMMAND...
    wanted "$1" || return 0
    execute "$logs/log" "$@"
    report "$logs/log" "$1" "$2"
    report_beside
}
limit_of() { # SCRIPT
    case $1 in
        parity.sh) echo 1800 ;;       # two networks of full size on however few cores
        fuzz_readers.sh) echo 3600 ;; # what the others leave it
        *) [ "${FAULTS:-short}" = short ] && echo 900 || echo 7200 ;;
    esac
}
# The second of two at a time, the long ones first: scripts that neither measure time nor signal at a moment; what runs in
# front helps with them when it has no more of its own. At the end the fuzzers, which take what is left of the processors,
# while a Slurm's jobs mostly wait.
beside=()
for script in parity jobs_scripts train_checkpoints train_kill checkpoint_kills train_rank_fails soak train_kills \
    train_precision export_weights coco_pack_jpeg evaluate_results surroundings train_memory damage_runs nccl_failures \
    train_ranks caption_sampling power_loss caption_batches bundle score_captions cli_bad_options train_recompute \
    device_choice init_ranks start_differences setup_without_root coco_pack_damage other_writers init_weights train_elastic \
    setup_interrupted setup_site_torch verify coco_pack_split caption_pictures score_files hostile_text \
    coco_pack_input coco_pack_skip cuda_build gpu_first gpu_program train_profile make_sample oracle_setup parity_setup setup_nvcc setup_trust fuzz_readers; do
    ! wanted "faults/$script.sh" || beside+=("$script.sh")
done
claim() { mkdir "$logs/$1.claimed" 2>/dev/null; }
run_claimed() { # SCRIPT
    local niceness=0
    [ "$1" != fuzz_readers.sh ] || niceness=19
    execute "$logs/$1" "faults/$1" "$(limit_of "$1")" nice -n $niceness bash "tests/faults/$1"
}
run_beside() {
    local script
    trap 'stop 143' INT TERM # Ctrl-C reaches both
    lane=
    if [[ " ${beside[*]} " = *" fuzz_readers.sh "* ]] && [ ${#beside[@]} -gt 1 ] && ! left_out faults/fuzz_readers.sh >/dev/null; then
        # Five minutes of a processor that the others do not need. Should it fail, the script says why in its turn.
        nice -n 19 timeout 3600 bash tests/faults/fuzz_readers.sh --build-only >/dev/null 2>&1 &
        lane=$! # of this one, for stop
    fi
    for script in "${beside[@]}"; do
        ! claim "$script" || run_claimed "$script"
    done
}
report_beside() { # those that have ended since
    local script others=()
    for script in "${unreported[@]}"; do
        if [ -e "$logs/$script.end" ]; then
            report "$logs/$script" "faults/$script" "$(limit_of "$script")"
        else
            others+=("$script")
        fi
    done
    unreported=("${others[@]}")
}
unreported=("${beside[@]}")
run_beside &
lane=$!

boost=()
[ -z "$filter" ] || boost=(--run_test="$filter")
for program in "$build"/tests/unit_*; do
    [ -x "$program" ] && run "${program##*/}" 900 "${one_thread[@]}" "$program" "${boost[@]}"
done
if [ -x "$build/tests/golden" ]; then
    run golden 900 "${one_thread[@]}" "$build/tests/golden" --log_level=message "${boost[@]}" # says how much was compared
fi
if [ -x "$build/tests/ranks" ]; then
    for np in $rank_counts; do
        run "ranks np=$np" 600 "${one_thread[@]}" mpirun -np $np "$build/tests/ranks" "${boost[@]}"
    done
fi
if [ -x "$build/tests/gpu" ]; then
    run gpu 1800 "$build/tests/gpu" "${boost[@]}"
else
    run gpu 10 printf '%s\n' 'skipped: gpu tests (no GPU code: built without CUDA)' '0 passed, 0 failed, 1 skipped'
fi
if [ -x "$build/tests/fake_cuda" ]; then
    run fake_cuda 600 "${one_thread[@]}" "$build/tests/fake_cuda" "${boost[@]}"
    run fake_cuda/program.sh 600 bash tests/fake_cuda/program.sh
    run fake_cuda/roofline 120 "${one_thread[@]}" "$build/tests/roofline" --check
else
    run fake_cuda 10 printf '%s\n' 'skipped: the pretended GPU (no GPU code: built without CUDA)' '0 passed, 0 failed, 1 skipped'
fi
for np in 1 2 3; do
    [ ! -x "$build/tests/nccl_fake" ] || run "nccl_fake np=$np" 300 mpirun -np $np "$build/tests/nccl_fake" "${boost[@]}"
    [ ! -x "$build/tests/nccl_gpu" ] || run "nccl_gpu np=$np" 300 mpirun -np $np "$build/tests/nccl_gpu" "${boost[@]}"
done
for script in tests/faults/*.sh tests/slurm/*.sh; do
    name=${script##*/}
    case $name in lib.sh | *_lib.sh) continue ;; esac # sourced by the others
    [[ " ${beside[*]} " = *" $name "* ]] || run "${script#tests/}" "$(limit_of "$name")" bash "$script"
done
for script in "${beside[@]}"; do
    [ "$script" != fuzz_readers.sh ] && claim "$script" || continue
    run_claimed "$script"
    report_beside
done
while [ ${#unreported[@]} -gt 0 ] && kill -0 $lane 2>/dev/null; do
    sleep 0.2
    report_beside
done
report_beside
if [ ${#unreported[@]} -gt 0 ]; then
    echo "not run, as what runs beside the others was ended: ${unreported[*]}"
    failed=$((failed + ${#unreported[@]}))
fi

if [ $programs -eq 0 ]; then
    echo "no test program matches '$pattern'"
    failed=1
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
