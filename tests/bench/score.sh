#!/usr/bin/env bash
# `blip_mpi score` from its start to its end on one thread, and pycocoevalcap on the same captions in the same run, where it and
# Java are installed (make metrics-oracle installs it). Called by `make bench`; some minutes with pycocoevalcap, seconds without.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BLIP_BUILD:-build}
if env/oracle.sh --check 2>/dev/null; then
    exec env/oracle.sh tests/oracle/oracle.py --build "$build" --times 5000 25000
fi
echo "pycocoevalcap is not here (make metrics-oracle installs it): blip_mpi alone"
exec python3 -B tests/oracle/oracle.py --build "$build" --times 5000 25000 --alone
