# shellcheck shell=bash
# shellcheck disable=SC2154  # tool: set by who sources it
# Sourced by env/parity.sh, oracle.sh, tensorboard.sh and capevalkit.sh with their name in $tool: a set of wheels for Python
# 3.11, listed in env/requirements-TOOL.txt, in a folder of its own, which is $packages.
umask 022
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
deps=${BLIP_DEPS:-$HOME/.cache/blip_mpi}
requirements=$here/requirements-$tool.txt

say() { printf '%s: %s\n' "$tool" "$*" >&2; }
fail() {
    local code=$1
    shift
    say "$*"
    exit "$code"
}
. "$here/wheels.sh"
python=    # find_python
packages=$deps/$tool-$(wheels_mark "$requirements" | cut -c1-12)

# isolated SITE WORD...: the Python with these packages alone, neither the user's nor the interpreter's site-packages. The cache
# may be read-only or shared: no .pyc.
isolated() {
    local site=$1
    shift
    env -u PYTHONHOME -u PYTHONSTARTUP PYTHONPATH="$site" "$python" -s -S -B "$@"
}
# install_packages TITLE NOTE NEED_MB VERIFY: as install_wheels
install_packages() {
    python3 -m pip --version >/dev/null 2>&1 || fail 66 "no pip here: apt-get install python3-pip"
    install_wheels "$1" "$2" "$packages" "$requirements" "$3" "$4"
}
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
            python=$name
            return
        fi
    done
    fail 66 "no Python 3.11 here (python3 is $(python3 --version 2>/dev/null || echo absent)): $2; name one with $1="
}
