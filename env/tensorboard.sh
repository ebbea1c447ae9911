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
tool=tensorboard
# shellcheck source=env/python311.sh
. "$(dirname "$0")/python311.sh"

verify_tensorboard() {
    isolated "$1" -c 'from tensorboard.backend.event_processing.event_accumulator import EventAccumulator' >&2
}

find_python TENSORBOARD_PYTHON "the pinned numpy wheel is for that one"
if ! have_wheels "$packages" "$requirements"; then
    install_packages "TensorBoard's reader" "for a test: downloads 25 MB, takes 90 MB" 250 verify_tensorboard
fi
[ $# -eq 0 ] || isolated "$packages" "$@"
