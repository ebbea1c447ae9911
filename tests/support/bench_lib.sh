# shellcheck shell=bash
# Sourced by tests/bench scripts that train: $build, and a folder for what they make.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. env/mpi.sh
build=${BLIP_BUILD:-build}

# draw_pictures COUNT [FOLDER]: $scratch, in that folder, which goes at the end; in it data.h5 of so many training pictures
draw_pictures() {
    scratch=$(mktemp -d -p "${2:-${TMPDIR:-/tmp}}")
    trap 'rm -rf "$scratch"' EXIT
    "$build/bin/make_sample" --out "$scratch/coco" --train "$1" --val 2 --test 2 >/dev/null
    "$build/bin/coco_pack" --coco "$scratch/coco" --out "$scratch/data.h5" >/dev/null 2>&1
}
