#!/usr/bin/env bash
# The whole path on drawn pictures; called by `make demo`: set up, build, draw, pack, train two ranks, caption pictures of
# the test split (none of them trained on) and score them. Everything lands in BUILD/demo; a second call trains anew.
# DEMO_RANKS=N trains on N ranks.
set -euo pipefail
cd "$(dirname "$0")/.."
. env/mpi.sh
build=${BUILD:-build}
demo=$build/demo
# On GPUs a rank each; two ranks where there is none.
gpus=$({ nvidia-smi -L 2>/dev/null || true; } | grep -c '^GPU' || true)
ranks=${DEMO_RANKS:-$((gpus == 1 ? 1 : 2))}
step() { printf '\n== %s (after %d s)\n' "$1" "$SECONDS"; }

step "set-up"
env/setup.sh
step "build"
env -u MAKEFLAGS -u MFLAGS make --no-print-directory build BUILD="$build"

mkdir -p "$demo"
if [ ! -e "$demo/sample.h5" ] || [ "$build/bin/make_sample" -nt "$demo/sample.h5" ] || [ "$build/bin/coco_pack" -nt "$demo/sample.h5" ]; then
    step "a data set in COCO 2014 layout, drawn"
    rm -rf "$demo/coco" "$demo/sample.h5"
    "$build/bin/make_sample" --out "$demo/coco"
    step "pack it into one HDF5 file"
    "$build/bin/coco_pack" --coco "$demo/coco" --vocab data_prep/bert-base-uncased-vocab.txt --out "$demo/sample.h5"
fi

step "train on $ranks ranks"
rm -rf "$demo/out" "$demo/evaluation"
BLIP=$build/bin/blip_mpi jobs/local.sh "$ranks" train --config jobs/demo.cfg --data "$demo/sample.h5" --output "$demo/out" --fresh

step "caption and score the test split"
mpirun -np "$ranks" "$build/bin/blip_mpi" evaluate --config jobs/demo.cfg --data "$demo/sample.h5" --init "$demo/out/best" \
    --split test --output "$demo/evaluation"

step "pictures that were not trained on"
python3 - "$demo/coco" "$demo/evaluation" <<'PYTHON'
import json, pathlib, re, sys
coco, evaluation = map(pathlib.Path, sys.argv[1:])
references = {}
for row in json.loads(next(coco.rglob('coco_karpathy_test.json')).read_text()):
    references[int(re.search(r'(\d+)\.jpg$', row['image']).group(1))] = (row['image'], row['caption'])
for row in json.loads((evaluation / 'result' / 'test.json').read_text())[:5]:
    image, captions = references[row['image_id']]
    print(f"{coco / image}\n  captioned:  {row['caption']}")
    for caption in captions[:2]:
        print(f'  reference:  {caption}')
result = json.loads((evaluation / 'evaluate.json').read_text())['splits']['test']
print(f"all {result['images']} pictures:", ', '.join(f'{name} {value:.3f}' for name, value in result['scores'].items()))
PYTHON
printf 'for comparison, the caption that scores best when it is given to every picture:\n'
python3 tests/reference/best_constant_caption.py "$demo/coco" test | sed -n 's/^best constant caption: /  /p'
step "done"
