#!/usr/bin/env bash
# The Python of `make metrics-oracle`: pycocoevalcap 1.2, whose tokenizer and METEOR are Java programs, in a folder of its own,
# used by nothing else. Installs what is missing (120 MB to download, 190 MB on disk), hash-checked, then runs a script with it.
#
#   env/oracle.sh                     installs, checks
#   env/oracle.sh --check             only says what is missing; exit 66 if anything is
#   env/oracle.sh SCRIPT.py WORD...   runs the script; its exit code
#
# Environment: BLIP_DEPS      cache, as for env/setup.sh; the folder's name there carries a hash of env/requirements-oracle.txt
#              ORACLE_PYTHON  a Python 3.11 (default python3.11, else python3); its own packages are not seen
# Exit: 66 something is missing (Java 8 or later on PATH, too, which it does not install), 74 installing failed.
set -euo pipefail
umask 022
here=$(cd "$(dirname "$0")" && pwd)
deps=${BLIP_DEPS:-$HOME/.cache/blip_mpi}
requirements=$here/requirements-oracle.txt

say() { printf 'oracle: %s\n' "$*" >&2; }
fail() {
    local code=$1
    shift
    say "$*"
    exit "$code"
}
. "$here/wheels.sh"
. "$here/python311.sh"
python=    # found below
packages=$deps/oracle-$(wheels_mark "$requirements" | cut -c1-12)

# Only these packages: neither the user's nor the interpreter's site-packages. The cache may be read-only or shared: no .pyc.
isolated() {
    local site=$1
    shift
    env -u PYTHONHOME -u PYTHONSTARTUP PYTHONPATH="$site" "$python" -s -S -B "$@"
}
verify_oracle() {
    isolated "$1" -c '
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.meteor.meteor import Meteor
from pycocoevalcap.rouge.rouge import Rouge
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer' >&2
}

check_only=
if [ "${1:-}" = --check ]; then check_only=1; fi
java -version >/dev/null 2>&1 ||
    fail 66 "no Java on PATH: the COCO evaluation's tokenizer and METEOR need 8 or later (apt-get install openjdk-17-jre-headless); nothing else does"
find_python ORACLE_PYTHON "the pinned numpy wheel is for that one"
if ! have_wheels "$packages" "$requirements"; then
    [ -z "$check_only" ] || fail 66 "missing: pycocoevalcap in $packages (make metrics-oracle installs it)"
    python3 -m pip --version >/dev/null 2>&1 || fail 66 "no pip here: apt-get install python3-pip"
    install_wheels "pycocoevalcap" "for make metrics-oracle: downloads 120 MB, takes 190 MB" "$packages" "$requirements" 500 verify_oracle
fi
if [ -n "$check_only" ]; then
    say "nothing is missing"
elif [ $# -gt 0 ]; then
    isolated "$packages" "$@"
else
    say "ready ($packages)"
fi
