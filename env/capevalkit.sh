#!/usr/bin/env bash
# The Python of tests/end_to_end/capevalkit.sh: capevalkit and uv, in a folder of its own, used by nothing else. Installs what is
# missing (18 MB to download, 40 MB on disk), hash-checked, then runs Python with it, and uv on PATH.
#
#   env/capevalkit.sh             installs, checks
#   env/capevalkit.sh WORD...     runs Python with these words (SCRIPT.py, -m MODULE ...); its exit code
#
# Environment: BLIP_DEPS          cache, as for env/setup.sh; the folder's name there carries a hash of the list of packages
#              CAPEVALKIT_PYTHON  a Python 3.11 (default python3.11, else python3); its own packages are not seen
# Exit: 66 something is missing, 74 installing failed.
set -euo pipefail
tool=capevalkit
# shellcheck source=env/python311.sh
. "$(dirname "$0")/python311.sh"

verify_capevalkit() {
    isolated "$1" -c 'import capevalkit.interfaces.cli' >&2 && "$1/bin/uv" --version >&2
}

find_python CAPEVALKIT_PYTHON "the tests' other packages are for that one"
if ! have_wheels "$packages" "$requirements"; then
    install_packages "capevalkit" "for a test: downloads 18 MB, takes 40 MB" 150 verify_capevalkit
fi
[ $# -eq 0 ] || PATH=$packages/bin:$PATH isolated "$packages" "$@"
