#!/usr/bin/env bash
# test: quick
# blip_mpi score --clip: CLIPScore and RefCLIPScore of each picture against a CLIP that score_clip.py computes by itself,
# and what is said where something is missing or wrong.
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
python=$root/tests/end_to_end/score_clip.py
export PYTHONPATH=$root/tests/end_to_end PYTHONDONTWRITEBYTECODE=1
score() { run "$bin/blip_mpi" score "$@"; }
clip() { score references.json results.json --clip "$1" --images "$2" "${@:3}"; }
cd "$scratch" || exit 70
export BLIP_DEPS=$scratch/nothing # without METEOR's tables
python3 "$python" make || exit 70

for model in model_a model_b; do
    new_case "$model: each picture's scores are those of a forward pass written in Python"
    clip $model pictures --per-image $model.json --json
    exits 0
    run python3 "$python" compare $model results.json $model.json "$(tolerance clip_scores)"
    exits 0
    says "largest difference"
done

new_case "two more rows, means of the pictures' scores; the signature names weights, factor and prompt"
clip model_a pictures --metrics rouge_l
exits 0
says "RefCLIPScore"
says "clipscore:w=2.5,prompt='A photo depicts ',weights-"
clip model_a pictures --metrics rouge_l --json
tail -1 "$output" >scores.json
run python3 - <<'PYTHON'
import json
scores, rows = json.load(open('scores.json')), json.load(open('model_a.json'))
assert list(scores)[:3] == ['CLIPScore', 'ROUGE_L', 'RefCLIPScore'], scores
for metric in ('CLIPScore', 'RefCLIPScore', 'ROUGE_L'):
    assert abs(scores[metric] - sum(row[metric] for row in rows) / 5) < 1e-12, metric
PYTHON
exits 0

new_case "the same weights in another form have the same signature, others another"
grep -o 'weights-[0-9a-f]*' scores.json >first
cp -r model_a sharded
python3 - <<'PYTHON' || fail "no shards were made"
import json, pathlib, score_clip as clip
folder = pathlib.Path('sharded')
tensors = clip.read_safetensors(folder / 'model.safetensors')
(folder / 'model.safetensors').unlink()
parts = {'part1.safetensors': {}, 'part2.safetensors': {}}
for i, (name, tensor) in enumerate(sorted(tensors.items())):
    parts[f'part{i % 2 + 1}.safetensors'][name] = tensor
for name, part in parts.items():
    clip.write_safetensors(folder / name, part)
places = {tensor: name for name, part in parts.items() for tensor in part}
(folder / 'model.safetensors.index.json').write_text(json.dumps({'weight_map': places}))
PYTHON
clip sharded pictures --json
exits 0
says "$(cat first)"
clip model_b pictures --json
says_not "$(cat first)"

new_case "intervals, and comparisons of two systems, have both scores"
score references.json results.json other.json --clip model_a --images pictures --json
exits 0
tail -1 "$output" >compared.json
run python3 - <<'PYTHON'
import json
compared, rows = json.load(open('compared.json')), json.load(open('model_a.json'))
pair, = compared['comparisons']
for metric in ('CLIPScore', 'RefCLIPScore'):
    first, second = (system[metric] for system in compared['systems'])
    assert abs(pair[metric]['difference'] - (second - first)) < 1e-12 and first != second
    low, high = compared['intervals'][metric]
    assert min(row[metric] for row in rows) <= low <= first <= high <= max(row[metric] for row in rows)
PYTHON
exits 0

new_case "pictures by the references' file names, and NoCaps' domains each by itself"
python3 - <<'PYTHON'
import json, pathlib, score_clip as clip
images = [{'id': 70 + i, 'file_name': 'elsewhere/' + name + '.png', 'domain': 'in-domain' if i < 2 else 'out-domain'}
          for i, name in enumerate(clip.RESULTS)]
captions = [{'image_id': 70 + i, 'id': 10 * i + k, 'caption': text}
            for i, own in enumerate(clip.REFERENCES.values()) for k, text in enumerate(own)]
json.dump({'images': images, 'annotations': captions}, open('coco.json', 'w'))
json.dump([{'image_id': 70 + i, 'caption': text} for i, text in enumerate(clip.RESULTS.values())], open('coco_results.json', 'w'))
PYTHON
score coco.json coco_results.json --clip model_a --images pictures --json
exits 0
tail -1 "$output" >domains.json
run python3 - <<'PYTHON'
import json
scores, rows = json.load(open('domains.json')), json.load(open('model_a.json'))
for metric in ('CLIPScore', 'RefCLIPScore'):
    values = [row[metric] for row in rows]
    assert abs(scores[metric] - sum(values) / 5) < 1e-6, metric
    assert abs(scores['in-domain'][metric] - sum(values[:2]) / 2) < 1e-6, metric
    assert abs(scores['out-domain'][metric] - sum(values[2:]) / 3) < 1e-6, metric
PYTHON
exits 0

new_case "pictures by the results' file names, where the references have none"
python3 - <<'PYTHON'
import json, score_clip as clip
with open('by_file.jsonl', 'w') as file:
    for i, (name, text) in enumerate(clip.RESULTS.items()):
        print(json.dumps({'id': f'row {i}', 'file': f'photos/{name}.png', 'caption': text}), file=file)
json.dump({f'row {i}': own for i, own in enumerate(clip.REFERENCES.values())}, open('rows.json', 'w'))
PYTHON
score rows.json by_file.jsonl --clip model_a --images pictures --json
exits 0
tail -1 "$output" >by_file.json
run python3 -c "
import json
one, other = json.load(open('by_file.json')), json.load(open('scores.json'))
assert all(abs(one[metric] - other[metric]) < 1e-6 for metric in ('CLIPScore', 'RefCLIPScore')), (one, other)"
exits 0

new_case "a missing file of the model is named"
for file in config.json vocab.json merges.txt model.safetensors; do
    rm -rf broken
    cp -r model_a broken
    rm broken/$file
    clip broken pictures
    exits 66
    says "$([ $file = model.safetensors ] && echo "the folder broken holds no weights" || echo "broken/$file")"
done
clip nowhere pictures
exits 66
says "nowhere/config.json"

# changed FILE EXPRESSION: model_a with that file's JSON, called x, changed by Python
changed() {
    rm -rf broken
    cp -r model_a broken
    python3 - "broken/$1" "$2" <<'PYTHON' || fail "nothing was changed"
import json, os, sys
x = json.load(open(sys.argv[1])) if os.path.exists(sys.argv[1]) else {}
exec(sys.argv[2])
json.dump(x, open(sys.argv[1], 'w'))
PYTHON
}
# refused FILE EXPRESSION MESSAGE...
refused() {
    changed "$1" "$2"
    clip broken pictures
    exits 65
    local message
    for message in "broken/" "${@:3}"; do says "$message"; done
}
new_case "tensors of other shapes and missing ones are named, with what is needed"
refused config.json "x['vision_config']['hidden_size'] = 48" "vision_model.embeddings.class_embedding is [24], needed [48]"
refused config.json "x['text_config']['num_hidden_layers'] = 3" \
    "text_model.encoder.layers.2.layer_norm1.weight is missing, [20] is needed"
refused config.json "x['projection_dim'] = 13" "visual_projection.weight is [12, 24], needed [13, 24]"
new_case "a configuration of another model, or of what is not computed here, is refused by name"
refused config.json "x['model_type'] = 'siglip'" "model_type" "siglip"
refused config.json "x['text_config']['hidden_act'] = 'gelu_new'" "text_config: field 'hidden_act'" "gelu_new"
refused config.json "x['vision_config']['num_attention_heads'] = 7" "num_attention_heads"
refused config.json "x['text_config']['eos_token_id'] = 3" "eos_token_id"
new_case "what preprocessor_config.json asks for and is not done here is refused by name"
refused preprocessor_config.json "x['resample'] = 2" "resample"
refused preprocessor_config.json "x['do_center_crop'] = False" "do_center_crop"
refused preprocessor_config.json "x['crop_size'] = 40" "crop_size" "32"
refused preprocessor_config.json "x['size'] = {'height': 32, 'width': 32}" "shortest_edge"
refused preprocessor_config.json "x['image_std'] = [1, 0, 1]" "image_std"
new_case "a vocabulary that is none of CLIP's, and merges of other tokens, are refused by place"
refused vocab.json "del x['<|endoftext|>']" "vocab.json" "<|endoftext|>"
refused vocab.json "x['more'] = 600" "vocab.json" "600"
rm -rf broken
cp -r model_a broken
echo "zz q" >>broken/merges.txt
clip broken pictures
exits 65
says "broken/merges.txt: line"
says "zz q"

new_case "weights that are not finite, or make no numbers, are damaged"
for value in nan 3e38; do
    rm -rf broken
    cp -r model_a broken
    python3 - $value <<'PYTHON' || fail "nothing was changed"
import pathlib, sys, score_clip as clip
path = pathlib.Path('broken/model.safetensors')
tensors = clip.read_safetensors(path)
shape, values = tensors['text_projection.weight']
tensors['text_projection.weight'] = (shape, [float(sys.argv[1])] * len(values))
clip.write_safetensors(path, tensors)
PYTHON
    clip broken pictures
    exits 65
    says "broken/model.safetensors"
    if [ $value = nan ]; then says "text_projection.weight has values that are not finite"; else says "damaged"; fi
done

new_case "a picture that is missing, damaged or there twice is named"
cp -r pictures fewer
rm fewer/004.png
clip model_a fewer
exits 66
says "--images fewer has no picture"
says "1 of the 5 images: 004"
cp pictures/001.png fewer/deeper/004.png
cp pictures/001.png fewer/004.gif
clip model_a fewer
exits 66
rm fewer/004.gif
head -c 60 pictures/004.png >fewer/deeper/004.png
clip model_a fewer
exits 65
says "fewer/deeper/004.png"
clip model_a nowhere
exits 66
says "--images nowhere"

new_case "one of the two options alone is refused"
score references.json results.json --clip model_a
exits 64
says "--images DIR"
score references.json results.json --images pictures
exits 64
says "--clip DIR"

new_case "the small program becomes the one that computes"
run "$bin/blip_mpi_score" references.json results.json --clip model_a --images pictures --json
exits 0
says '"RefCLIPScore"'

summary
