#!/usr/bin/env bash
# test: limit=1800
# The part of `make parity` that every build runs: files that PyTorch and Hugging Face read, the reference's trained model,
# a small CLIP's scores, and ViT-B's weights in Hugging Face's hands. Skipped where its Python cannot be had.
# shellcheck source=tests/support/shell_test.sh
. "$(dirname "$0")/../support/shell_test.sh"

if ! env/parity.sh >"$scratch/said" 2>&1; then
    skips "Hugging Face side by side" "$(tail -n 1 "$scratch/said")"
    finish
fi
env/parity.sh tests/parity/parity.py --build "$build" --rows files,trained,clip,base
