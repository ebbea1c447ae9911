#!/usr/bin/env bash
# The Python of tests/end_to_end/tensorboard.sh: TensorBoard's reader of event files, in a folder of its own, used by nothing
# else. Installs what is missing (25 MB to download, 90 MB on disk), hash-checked, then runs a script with it.
#
#   env/tensorboard.sh                     installs, checks
#   env/tensorboard.sh SCRIPT.py WORD...   runs the script; its exit code
#
# Environment: BLIP_DEPS           cache, as for env/setup.sh; the folder's name there carries a hash of the list of packages
#              TENSORBOARD_PYTHON  a Python 3.11 (default python3.11, else python3); its own packages are not seen
# Exit: 66 something is missing, 74 installing failed.
set -euo pipefail
umask 022
here=$(cd "$(dirname "$0")" && pwd)
deps=${BLIP_DEPS:-$HOME/.cache/blip_mpi}
requirements=$here/requirements-tensorboard.txt

say() { printf 'tensorboard: %s\n' "$*" >&2; }
fail() {
    local code=$1
    shift
    say "$*"
    exit "$code"
}
. "$here/wheels.sh"
. "$here/python311.sh"
python=    # found below
packages=$deps/tensorboard-$(wheels_mark "$requirements" | cut -c1-12)

isolated() {
    local site=$1
    shift
    env -u PYTHONHOME -u PYTHONSTARTUP PYTHONPATH="$site" "$python" -s -S -B "$@"
}
verify_tensorboard() {
    isolated "$1" -c 'from tensorboard.backend.event_processing.event_accumulator import EventAccumulator' >&2
}

find_python TENSORBOARD_PYTHON "the pinned numpy wheel is for that one"
if ! have_wheels "$packages" "$requirements"; then
    python3 -m pip --version >/dev/null 2>&1 || fail 66 "no pip here: apt-get install python3-pip"
    install_wheels "TensorBoard's reader" "for a test: downloads 25 MB, takes 90 MB" "$packages" "$requirements" 250 verify_tensorboard
fi
[ $# -eq 0 ] || isolated "$packages" "$@"
