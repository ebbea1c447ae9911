#!/usr/bin/env bash
# Runs the benchmarks; called by `make bench` as run_all.sh [PATTERN]. Programs of BUILD/bench first (each one's own table),
# then the scripts tests/bench/*.sh (training steps under mpirun and the like), which print their own lines.
set -u
cd "$(dirname "$0")/../.." || exit 70
. env/mpi.sh
build=${BUILD:-build}
pattern=${1:-}
export BLIP_ROOT=$PWD BLIP_BUILD=$build
failed=0
for bench in "$build"/bench/*_bench tests/bench/*.sh; do
    case $bench in
        *"$pattern"*) ;;
        *) continue ;;
    esac
    if [ ! -x "$bench" ] || [ "$bench" = tests/bench/run_all.sh ]; then continue; fi
    echo "== ${bench##*/}"
    "$bench" || { echo "${bench##*/} failed with exit code $?" && failed=1; }
done
exit $failed
