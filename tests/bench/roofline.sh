#!/usr/bin/env bash
# What a micro-batch of the base preset would cost on a GPU: kernels, bytes, operations and estimated time, from what runs
# on the pretended device (tests/fake_cuda). Called by `make bench`; seconds, and no GPU.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BLIP_BUILD:-build}
if [ ! -x "$build/tests/roofline" ]; then
    echo "skipped: the roofline (no GPU code: built without CUDA)"
    exit 0
fi
OMP_NUM_THREADS=1 "$build/tests/roofline" "$@"
