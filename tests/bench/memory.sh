#!/usr/bin/env bash
# Predicted and measured memory of a rank for the base and large presets, up to the first checkpoint's writing. Called by
# `make bench`; some minutes and 13 GiB.
set -euo pipefail
cd "$(dirname "$0")/../.."
. env/mpi.sh
build=${BLIP_BUILD:-build}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$build/bin/make_sample" --out "$scratch/coco" --train 40 --val 2 --test 2 >/dev/null
"$build/bin/coco_pack" --coco "$scratch/coco" --out "$scratch/data.h5" >/dev/null 2>&1

# row PRESET RANKS GLOBAL MICRO STEPS ARGUMENT...
row() {
    local out=$scratch/out
    rm -rf "$out"
    mpirun -np "$2" "$build/bin/blip_mpi" train --data "$scratch/data.h5" --output "$out" --model "$1" --global-batch "$3" \
        --micro-batch "$4" --max-steps "$5" --checkpoint-minutes 0 --no-evaluate --no-progress "${@:6}" >"$scratch/log" 2>&1 ||
        { cat "$scratch/log" && exit 1; }
    python3 - "$@" "$out/log.jsonl" <<'PYTHON'
import json, sys
preset, ranks, batch, micro, steps, *more, path = sys.argv[1:]
stop = [json.loads(line) for line in open(path)][-1]
predicted, measured = stop['predicted_peak_memory_bytes'], stop['peak_memory_bytes']
print(f"{preset:5} {ranks} ranks, micro-batch {micro:>2}, {steps} steps {' '.join(more):60}: predicted {predicted / 2**30:6.2f} GiB a rank, "
      f"measured {measured / 2**30:6.2f} GiB, {100 * (predicted / measured - 1):+.1f} %")
PYTHON
}
row tiny 1 32 32 7
row tiny 2 32 16 7
row base 1 2 2 2
row base 1 4 4 2
row base 1 4 4 2 --checkpoint-every 1
row base 1 16 16 2
row base 1 16 16 2 --vit-grad-ckpt --vit-ckpt-layer 12
row base 2 2 1 2
row large 1 1 1 2
row large 1 1 1 2 --vit-grad-ckpt --vit-ckpt-layer 24
