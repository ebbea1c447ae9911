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
tool=oracle
# shellcheck source=env/python311.sh
. "$(dirname "$0")/python311.sh"

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
    install_packages "pycocoevalcap" "for make metrics-oracle: downloads 120 MB, takes 190 MB" 500 verify_oracle
fi
if [ -n "$check_only" ]; then
    say "nothing is missing"
elif [ $# -gt 0 ]; then
    isolated "$packages" "$@"
else
    say "ready ($packages)"
fi
