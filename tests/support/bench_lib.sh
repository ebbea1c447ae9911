# shellcheck shell=bash
# Sourced by tests/bench scripts that train: $build, and a folder for what they make.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. env/mpi.sh
build=${BLIP_BUILD:-build}

# make_scratch [FOLDER]: $scratch, in that folder, which goes at the end
make_scratch() {
    scratch=$(mktemp -d -p "${1:-${TMPDIR:-/tmp}}")
    trap 'rm -rf "$scratch"' EXIT
}
# draw_pictures COUNT [FOLDER]: make_scratch, and in it data.h5 of so many training pictures
draw_pictures() {
    make_scratch "${2:-}"
    "$build/bin/make_sample" --out "$scratch/coco" --train "$1" --val 2 --test 2 >/dev/null
    "$build/bin/coco_pack" --coco "$scratch/coco" --out "$scratch/data.h5" >/dev/null 2>&1
}
# needs_demo FILE: $demo, what `make demo` leaves; without that file of it the script ends, saying so
needs_demo() {
    demo=$build/demo
    [ -e "$demo/$1" ] || { echo "$demo/$1 is not there: make demo first" && exit 0; }
}
# quietly COMMAND...: what it says goes to $scratch/log; shown if it fails, which ends the script
quietly() { "$@" >"$scratch/log" 2>&1 || { cat "$scratch/log" && exit 1; }; }
