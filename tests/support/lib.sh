# shellcheck shell=bash
# Sourced by the coco_pack scripts: cases made of several checks, on top of tests/support/shell_test.sh.
#     new_case "what this shows"; run COMMAND...; exits 66; says "COMMAND's message"; leaves_nothing_like "out.h5*"
# Every line from one new_case to the next belongs to that case, which fails if any of its checks does. A script ends with
# `summary`, whose last line is "N passed, N failed, N skipped".
set -u
# shellcheck source=tests/support/shell_test.sh
. "$(dirname "${BASH_SOURCE[0]}")/shell_test.sh"
bin=$(realpath "$build")/bin
export bin
case_name="" case_ok=1
output=$scratch/.run    # stdout and stderr of the last run
status=0

end_case() {
    [ -n "$case_name" ] || return 0
    passes "$case_name" case_verdict
    case_name=""
}
case_verdict() { [ $case_ok = 1 ] || { cat "$scratch/.checks"; head -n 30 "$output"; return 1; }; }
new_case() {
    end_case
    case_name=$1 case_ok=1
    : >"$scratch/.checks"
}
# skip_case REASON: the present case does not apply on this machine.
skip_case() {
    skips "$case_name" "$1"
    case_name=""
}
fail() {
    case_ok=0
    echo "$1" >>"$scratch/.checks"
}

# tolerance NAME, from tests/tolerances.h
tolerance() { sed -n "s/^inline constexpr double $1 = \([^;]*\);.*/\1/p" "$root/tests/tolerances.h"; }

# run COMMAND...: remembers exit status and output.
run() {
    "$@" >"$output" 2>&1
    status=$?
}
exits() { [ "$status" -eq "$1" ] || fail "exit $status instead of $1"; }
says() { grep -qF -- "$1" "$output" || fail "output lacks: $1"; }
says_not() { ! grep -qF -- "$1" "$output" || fail "output has: $1"; }
# is OBSERVED EXPECTED WHAT
is() { [ "$1" = "$2" ] || fail "$3: '$1' instead of '$2'"; }
# leaves_nothing_like PATTERN: no file matches, temporary ones included.
leaves_nothing_like() {
    local found
    found=$(compgen -G "$1") && fail "left behind: $found"
    return 0
}
summary() {
    end_case
    finish
}
# flip_byte FILE OFFSET: changes the lowest bit of one byte.
flip_byte() {
    local value
    value=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
    # shellcheck disable=SC2059
    printf "\\x$(printf %02x $((value ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
