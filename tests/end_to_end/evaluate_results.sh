#!/usr/bin/env bash
# test: sanitizers
# The evaluate verb: every picture once on any number of ranks, the same captions whatever the ranks and batches, COCO
# form, and what it refuses.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
draw_sample 24    # 6 pictures to validate and 5 to test on: they do not divide evenly
# Long enough that captions have words of their own, which CIDEr counts.
train 2 "$scratch/run" --epochs 20 --split val --init-lr 5e-3
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
    assert all(set(row) == {'image_id', 'caption', 'file_name', 'log_probability'} and row['caption'] for row in rows), rows
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
scores_of() { python3 -c 'import json, sys; print({k: v["scores"] for k, v in json.load(open(sys.argv[1]))["splits"].items()})' "$1/evaluate.json"; }
for np in 2 3 8; do
    new_case "$np ranks, other batches: the same captions"
    evaluate $np "$scratch/np$np" --eval-batch $np
    exits 0
    same_captions "$scratch/np$np/result/val.json" "$scratch/one/result/val.json"
    same_captions "$scratch/np$np/result/test.json" "$scratch/one/result/test.json"
    is "$(scores_of "$scratch/np$np")" "$(scores_of "$scratch/one")" "scores, whose references are tokenised in $np shares"
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

new_case "the scores are those of the verb score, with --cider-df, too"
sample_references() { # SPLIT: {"ID": [captions]}
    python3 - "$scratch/coco/karpathy/coco_karpathy_$1.json" <<'PYTHON'
import json, re, sys
print(json.dumps({re.search(r'_0*(\d+)\.jpg$', row['image']).group(1): row['caption'] for row in json.load(open(sys.argv[1]))}))
PYTHON
}
sample_references val >"$scratch/val_references.json"
sample_references test >"$scratch/test_references.json"
"$blip" score --references "$scratch/test_references.json" --write-cider-df "$scratch/df.json" >/dev/null 2>&1
for df in "" "--cider-df $scratch/df.json"; do
    # shellcheck disable=SC2086 # an option and its value, or none
    evaluate 2 "$scratch/df" --split val $df
    exits 0
    status=0    # what it says beside the scores (no tables for METEOR) goes to stderr
    # shellcheck disable=SC2086
    "$blip" score --references "$scratch/val_references.json" --results "$scratch/df/result/val.json" --json $df \
        >"$scratch/score.json" 2>"$output" || status=$?
    exits 0
    run python3 - "$scratch/score.json" "$scratch/df/evaluate.json" <<'PYTHON'
import json, sys
score, split = json.load(open(sys.argv[1])), json.load(open(sys.argv[2]))['splits']['val']
evaluate = split['scores']
assert score['signature'] == split['signature'], (score, split)
assert len(evaluate) >= 6 and all(score[name] == value for name, value in evaluate.items()), (score, evaluate)
PYTHON
    exits 0
done
run python3 - "$scratch" <<'PYTHON'
import json, sys
own, other = (json.load(open(f'{sys.argv[1]}/{out}/evaluate.json'))['splits']['val']['scores'] for out in ('one', 'df'))
assert own.pop('CIDEr') != other.pop('CIDEr') and own == other, (own, other)
PYTHON
exits 0

new_case "--per-image: what the verb score writes of the same captions, a file for each split"
for form in csv json; do
    evaluate 2 "$scratch/images" --per-image "$scratch/images.$form"
    exits 0; says "images_val.$form: scores of 6 images"
    for split in val test; do
        run "$blip" score --references "$data" --split $split --results "$scratch/images/result/$split.json" --per-image "$scratch/score.$form"
        exits 0
        same_file "$scratch/images_$split.$form" "$scratch/score.$form" "$split"
    done
done
evaluate 1 "$scratch/images" --split test --per-image "$scratch/only.csv"
exits 0; same_file "$scratch/only.csv" "$scratch/images_test.csv" "one split"
evaluate 1 "$scratch/images" --per-image "$scratch/absent/x.csv"
exits 74; says "absent/x_val.csv"

new_case "NoCaps: results with the two keys that its server takes, scores of each domain"
python3 - "$scratch/val_references.json" >"$scratch/domains.json" <<'PYTHON'
import json, sys
ids = [int(i) for i in json.load(open(sys.argv[1]))]
domains = ('in-domain', 'near-domain', 'out-domain')
images = [{'id': i, 'file_name': f'{i}.jpg', 'domain': domains[n % 3]} for n, i in enumerate(ids)]
print(json.dumps({'info': {}, 'images': images, 'annotations': []}))
PYTHON
evaluate 2 "$scratch/domains" --split val --nocaps "$scratch/domains.json"
exits 0; says "NoCaps: repetition penalty 1.1 in the search"
evaluate 2 "$scratch/penalty" --split val --repetition-penalty 1.1
exits 0; says_not NoCaps
run python3 - "$scratch" <<'PYTHON'
import json, sys
of_nocaps, explicit = (json.load(open(f'{sys.argv[1]}/{out}/result/val.json')) for out in ('domains', 'penalty'))
assert [row['caption'] for row in of_nocaps] == [row['caption'] for row in explicit], (of_nocaps, explicit)
PYTHON
exits 0
evaluate 2 "$scratch/domains" --split val --nocaps "$scratch/domains.json" --repetition-penalty 1
exits 0; says_not "repetition penalty 1.1"; says "in-domain: 2 images"; says "near-domain: 2 images"; says "out-domain: 2 images"
run python3 - "$scratch" <<'PYTHON'
import json, subprocess, sys
scratch = sys.argv[1]
rows, plain = (json.load(open(f'{scratch}/{out}/result/val.json')) for out in ('domains', 'one'))
assert all(set(row) == {'image_id', 'caption'} for row in rows), rows
assert rows == [{key: row[key] for key in ('image_id', 'caption')} for row in plain], (rows, plain)
val = json.load(open(f'{scratch}/domains/evaluate.json'))['splits']['val']
assert val['scores'] == json.load(open(f'{scratch}/one/evaluate.json'))['splits']['val']['scores']
for domain, of_domain in val['domains'].items():
    assert of_domain['images'] == 2 and len(of_domain['scores']) == len(val['scores']), val
assert abs(sum(d['scores']['ROUGE_L'] for d in val['domains'].values()) / 3 - val['scores']['ROUGE_L']) < 1e-12, val
PYTHON
exits 0
# packed from a file of that form, all pictures in one folder
mkdir "$scratch/pictures"
cp "$scratch"/coco/val2014/*.jpg "$scratch/pictures"
run python3 - "$scratch" <<'PYTHON'
import json, os, re, sys
scratch = sys.argv[1]
names = {int(re.search(r'_0*(\d+)\.jpg$', n).group(1)): n for n in os.listdir(f'{scratch}/pictures')}
file, captions = json.load(open(f'{scratch}/domains.json')), json.load(open(f'{scratch}/val_references.json'))
for image in file['images']:
    image['file_name'] = names[image['id']]
file['annotations'] = [{'id': 100 * i['id'] + n, 'image_id': i['id'], 'caption': c} for i in file['images'] for n, c in enumerate(captions[str(i['id'])])]
json.dump(file, open(f'{scratch}/full_domains.json', 'w'))
PYTHON
exits 0
run "$bin/coco_pack" --coco "$scratch/pictures" --nocaps "$scratch/full_domains.json" --out "$scratch/domains.h5"
exits 0; says "NoCaps: full_domains.json is val"
data=$scratch/domains.h5 evaluate 2 "$scratch/packed" --nocaps "$scratch/full_domains.json"
exits 0; says "out-domain: 2 images"
same_file "$scratch/packed/result/val.json" "$scratch/domains/result/val.json" "results"
is "$(scores_of "$scratch/packed")" "$(scores_of "$scratch/domains")" "scores"
run "$bin/coco_pack" --coco "$scratch/pictures" --nocaps "$scratch/absent.json" --out "$scratch/no.h5"
exits 66; says "--nocaps $scratch/absent.json: no such file"
run "$bin/coco_pack" --coco "$scratch/pictures" --nocaps "$scratch/domains.json" --splits val --out "$scratch/no.h5"
exits 64; says "without --splits"
evaluate 2 "$scratch/no" --nocaps "$scratch/domains.json"
exits 65; said_once "domains.json: lacks image"
evaluate 2 "$scratch/no" --nocaps "$scratch/absent.json"
exits 66; said_once "absent.json"
echo '{"documents": 1, "df": {"a": 2}}' >"$scratch/bad_df.json"
evaluate 2 "$scratch/no" --cider-df "$scratch/bad_df.json"
exits 65; said_once "bad_df.json: 'a': in 2 of 1 documents"
leaves_nothing_like "$scratch/no"

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
