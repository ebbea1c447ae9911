# shellcheck shell=bash
# Sourced by the test scripts: counts cases and prints the summary line that tests/run.py reads.
#   passes NAME COMMAND...    the case passes if the command succeeds; otherwise its output is shown
#   skips NAME REASON         counted and said aloud
#   finish                    prints "N passed, N failed, N skipped", exits 1 if any failed
# And: $scratch, a directory that is removed at the end; $build, the build folder; $root, the repository.
root=${BLIP_ROOT:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
cd "$root" || exit 70
# shellcheck source=env/mpi.sh
. "$root/env/mpi.sh"
export build=${BLIP_BUILD:-build}
# in_memory, set before: no test waits for a disk, where there is room for it in memory
if [ -n "${in_memory:-}" ] && [ "$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 {print $4}')" -gt 2000000 ] 2>/dev/null; then
    export TMPDIR=/dev/shm
fi
scratch=$(mktemp -d) || exit 74
trap 'rm -rf "$scratch"' EXIT
# The same on every machine: a GPU is hidden from all scripts but those that set uses_gpu before.
[ -n "${uses_gpu:-}" ] || export CUDA_VISIBLE_DEVICES=""
cases_passed=0 cases_failed=0 cases_skipped=0

passes() {
    local name=$1
    shift
    if "$@" >"$scratch/.said" 2>&1; then
        cases_passed=$((cases_passed + 1))
        echo "ok: $name"
    else
        cases_failed=$((cases_failed + 1))
        echo "FAILED: $name"
        sed 's/^/    /' "$scratch/.said"
    fi
}

skips() {
    cases_skipped=$((cases_skipped + 1))
    echo "skipped: $1 ($2)"
}

# exits_with CODE TEXT COMMAND...: the command ends with this code and says this text (a fixed string; '' = anything)
exits_with() {
    local code=$1 text=$2 rc=0
    shift 2
    "$@" >"$scratch/.output" 2>&1 || rc=$?
    cat "$scratch/.output"
    [ "$rc" -eq "$code" ] || { echo "exit code $rc, expected $code" && return 1; }
    [ -z "$text" ] || grep -qF -- "$text" "$scratch/.output" || { echo "does not say: $text" && return 1; }
}

finish() {
    echo "$cases_passed passed, $cases_failed failed, $cases_skipped skipped"
    [ "$cases_failed" -eq 0 ]
    exit
}
