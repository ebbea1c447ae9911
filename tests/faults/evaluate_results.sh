#!/usr/bin/env bash
# The evaluate verb: every picture once on any number of ranks, the same captions whatever the ranks and batches, COCO
# form, and what it refuses. Called by tests/run_all.sh.
# shellcheck source=tests/faults/run_lib.sh
. "$(dirname "$0")/run_lib.sh"
draw_sample 24    # 6 pictures to validate and 5 to test on: they do not divide evenly
train 2 "$scratch/run" --epochs 1
evaluate() { # RANKS OUTPUT ARGUMENT...
    run timeout -k 5 120 mpirun -np "$1" "$blip" evaluate --data "$data" --init "$scratch/run" --output "$2" --threads 1 --no-progress "${@:3}"
}

new_case "results in COCO form, each picture once; scores in evaluate.json"
evaluate 1 "$scratch/one"
exits 0; says "val: 6 images"; says "test: 5 images"
run python3 - "$scratch/coco" "$scratch/one" <<'PYTHON'
import json, re, sys
coco, out = sys.argv[1:]
report = json.load(open(f'{out}/evaluate.json'))
for split in ('val', 'test'):
    rows = json.load(open(f'{out}/result/{split}.json'))
    ids = [int(re.search(r'_(\d+)\.jpg$', row['image']).group(1)) for row in json.load(open(f'{coco}/karpathy/coco_karpathy_{split}.json'))]
    assert sorted(row['image_id'] for row in rows) == sorted(ids), (rows, ids)
    assert all(set(row) == {'image_id', 'caption', 'log_probability'} and row['caption'] for row in rows), rows
    assert all(-200 < row['log_probability'] < 0 for row in rows), rows
    scores = report['splits'][split]['scores']
    assert all(0 <= scores[f'Bleu_{n}'] <= 1 for n in (1, 2, 3, 4)) and scores['Bleu_1'] > 0, scores
    assert report['splits'][split]['images'] == len(ids), report
PYTHON
exits 0
# same_captions A B: the same results, log-probabilities within rounding: the batch decides how sums are split
same_captions() {
    run python3 - "$1" "$2" "$(tolerance log_probability)" <<'PYTHON'
import json, sys
one, other = (json.load(open(name)) for name in sys.argv[1:3])
assert len(one) == len(other) > 0
for a, b in zip(one, other):
    assert (a['image_id'], a['caption']) == (b['image_id'], b['caption']), (a, b)
    assert abs(a['log_probability'] - b['log_probability']) <= float(sys.argv[3]), (a, b)
PYTHON
    exits 0
}
for np in 2 3 8; do
    new_case "$np ranks, other batches: the same captions"
    evaluate $np "$scratch/np$np" --eval-batch $np
    exits 0
    same_captions "$scratch/np$np/result/val.json" "$scratch/one/result/val.json"
    same_captions "$scratch/np$np/result/test.json" "$scratch/one/result/test.json"
done
new_case "2 ranks, one picture at a time, as one rank does: every bit of the results"
evaluate 1 "$scratch/single" --eval-batch 1
exits 0
evaluate 2 "$scratch/pair" --eval-batch 1
exits 0
for split in val test; do
    same_file "$scratch/pair/result/$split.json" "$scratch/single/result/$split.json" "$split"
done

new_case "one verb less: --evaluate; --split, --limit, --num-beams"
run mpirun -np 2 "$blip" --evaluate --data "$data" --init "$scratch/run/best/model.safetensors" --output "$scratch/less" \
    --split test --limit 3 --num-beams 1 --threads 1
exits 0; says "test: 3 images"
leaves_nothing_like "$scratch/less/result/val.json"
is "$(grep -c image_id "$scratch/less/result/test.json")" 3 "captions"

new_case "--dry-run captions and writes nothing"
evaluate 2 "$scratch/dry" --dry-run
exits 0; says "nothing was evaluated or written"
leaves_nothing_like "$scratch/dry*"

new_case "what it refuses, once for all ranks"
refused() { # CODE WORD ARGUMENT...
    run timeout 60 mpirun -np 3 "$blip" evaluate --output "$scratch/no" "${@:3}"
    exits "$1"; said_once "$2"
    is "$(grep -c 'error: ' "$output")" 1 "messages"
    leaves_nothing_like "$scratch/no*"
}
refused 66 "absent.h5" --data "$scratch/absent.h5" --init "$scratch/run"
refused 66 "--init $scratch/absent: no such file" --data "$data" --init "$scratch/absent"
refused 66 "holds no weights" --data "$data" --init "$scratch/coco"
refused 64 "text-layers: 5 was asked for, the weights have 2" --data "$data" --init "$scratch/run" --text-layers 5
cp -r "$scratch/run/best" "$scratch/damaged"
flip_byte "$scratch/damaged/model.safetensors" $(($(stat -c %s "$scratch/damaged/model.safetensors") / 2))
refused 65 "damaged/model.safetensors is damaged" --data "$data" --init "$scratch/damaged"

new_case "a split that the file lacks is left out, and told once; without any it is an error"
mkdir "$scratch/plain"
cp -r "$scratch/coco/annotations" "$scratch/coco/train2014" "$scratch/coco/val2014" "$scratch/plain"
"$bin/coco_pack" --coco "$scratch/plain" --out "$scratch/plain.h5" >/dev/null 2>&1
with_test=$data data=$scratch/plain.h5
evaluate 2 "$scratch/val" --limit 4
exits 0; said_once "has no split 'test'"; says "val: 4 images"
evaluate 2 "$scratch/none" --split test
exits 65; said_once "has no split 'test'; it has: train, val"
data=$with_test

new_case "a damaged picture stops it, named"
cp "$data" "$scratch/pixels.h5"
# the last pixels of the file are those of the last split
python3 - "$data" >"$scratch/at" <<'PYTHON'
import sys
data = open(sys.argv[1], 'rb').read()
print(int(len(data) * 0.9))
PYTHON
flip_byte "$scratch/pixels.h5" "$(cat "$scratch/at")"
data=$scratch/pixels.h5 evaluate 2 "$scratch/bad" --split train,val,test
exits 65; says "digest mismatch of image "; grep -q 'error: rank [01] on' "$output" || fail "no rank is named"
leaves_nothing_like "$scratch/bad/evaluate.json"
summary
