# shellcheck shell=bash
# Sourced by tests/run_all.sh when SANITIZE is 1 (ASan, LSan and UBSan) or thread (TSan): the run-time settings, how many ranks,
# and which tests are left out. A finding ends the program that has it, which fails its test.
sanitize_dir=$PWD/tests/sanitize
export OMP_NUM_THREADS=1    # LibTorch's own threads are not instrumented
case $SANITIZE in
1)
    # detect_odr_violation: Open MPI's plugins define the same names on purpose.
    export ASAN_OPTIONS="detect_odr_violation=0:strict_string_checks=1${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
    export LSAN_OPTIONS="suppressions=$sanitize_dir/leaks.txt:print_suppressions=0"
    export UBSAN_OPTIONS=print_stacktrace=1
    ;;
thread)
    export TSAN_OPTIONS="suppressions=$sanitize_dir/races.txt:print_suppressions=0:second_deadlock_stack=1:halt_on_error=0${TSAN_OPTIONS:+:$TSAN_OPTIONS}"
    ;;
esac
# shellcheck disable=SC2034  # used by run_all.sh
rank_counts=2
# left_out NAME: why a test does not run here; fails if it does.
left_out() {
    case $1 in
    unit_* | golden | ranks* | gpu) return 1 ;;
    esac
    local name reason
    while read -r name reason; do
        [ "$name" = "$1" ] || continue
        [ "$reason" != runs ] || return 1
        echo "$reason"
        return 0
    done <"$sanitize_dir/scripts.txt"
    echo "not among those of tests/sanitize/scripts.txt"
}
