# shellcheck shell=bash
# Sourced by env/parity.sh, env/oracle.sh and env/tensorboard.sh, whose wheels are for Python 3.11.
is_python_311() { [ "$("$1" -c 'import sys; print(*sys.version_info[:2], sep=".")' 2>/dev/null)" = 3.11 ]; }
# find_python NAME WHY: sets $python to the interpreter that the variable NAME names, or the machine's; ends with 66, saying
# WHY, if that is no 3.11.
find_python() {
    local name=${!1:-}
    if [ -n "$name" ]; then
        is_python_311 "$name" || fail 66 "$1=$name is no Python 3.11: $2"
        python=$name
        return
    fi
    for name in python3.11 python3; do
        if is_python_311 "$name"; then
            # shellcheck disable=SC2034 # the sourcing script's
            python=$name
            return
        fi
    done
    fail 66 "no Python 3.11 here (python3 is $(python3 --version 2>/dev/null || echo absent)): $2; name one with $1="
}
