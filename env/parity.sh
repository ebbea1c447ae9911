#!/usr/bin/env bash
# The Python of `make parity`: Hugging Face transformers beside the torch that env/setup.sh installed, in a folder of their own,
# used by nothing else. Installs what is missing (70 MB to download, 300 MB on disk), hash-checked, then runs a script with it.
#
#   env/parity.sh                     installs, checks
#   env/parity.sh --check             only says what is missing; exit 66 if anything is
#   env/parity.sh SCRIPT.py WORD...   runs the script; its exit code
#
# Environment: BLIP_DEPS      cache, as for env/setup.sh; the folder's name there carries a hash of env/requirements-parity.txt
#              LIBTORCH       the directory of a torch wheel of the site (for Python 3.11)
#              PARITY_PYTHON  a Python 3.11 (default python3.11, else python3); its own packages are not seen
# Exit: 66 something is missing, 74 installing failed.
set -euo pipefail
tool=parity
# shellcheck source=env/python311.sh
. "$(dirname "$0")/python311.sh"
torch_dir=${LIBTORCH:-$deps/torch-2.11.0-cu130}

# Only these packages: neither the user's nor the interpreter's site-packages, no network, no GPU.
isolated() {
    local site=$1
    shift
    env -u PYTHONHOME -u PYTHONSTARTUP PYTHONPATH="$site:$torch_dir" HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 \
        HF_HOME="$deps/no-hugging-face-home" CUDA_VISIBLE_DEVICES="" "$python" -s -S "$@"
}
verify_parity() {
    isolated "$1" -B -c '
import PIL, torch, transformers
from transformers import BlipForConditionalGeneration, BlipProcessor
assert torch.__version__.split("+")[0].startswith("2.11."), torch.__version__' >&2
}

check_only=
if [ "${1:-}" = --check ]; then check_only=1; fi
find_python PARITY_PYTHON "the pinned torch wheel is for that one"
compgen -G "$torch_dir/torch/_C.cpython-311-*.so" >/dev/null ||
    fail 66 "no torch wheel for Python 3.11 in $torch_dir: run env/setup.sh, or name one with LIBTORCH="
if ! have_wheels "$packages" "$requirements"; then
    [ -z "$check_only" ] || fail 66 "missing: Hugging Face transformers in $packages"
    install_packages "Hugging Face transformers" "for make parity: downloads 70 MB, takes 300 MB" 700 verify_parity
fi
if [ -n "$check_only" ]; then
    say "nothing is missing"
elif [ $# -gt 0 ]; then
    isolated "$packages" "$@"
else
    say "ready ($packages)"
fi
