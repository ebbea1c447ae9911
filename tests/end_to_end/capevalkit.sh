#!/usr/bin/env bash
# `blip_mpi score` as a metric of capevalkit, which itself runs it: its commands, its Python interface, a benchmark. capevalkit and
# uv are fetched from PyPI; skipped where they cannot be had.
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
if ! env/capevalkit.sh >"$scratch/said" 2>&1; then
    skips "capevalkit" "$(tail -n 1 "$scratch/said")"
    finish
fi
export CAPEVALKIT_HOME=$scratch/home UV_OFFLINE=1 PATH=$bin:$PATH
unset CAPEVALKIT_RUNTIME_ROOT CAPEVALKIT_RUNTIME_MODE XDG_CACHE_HOME UV_CACHE_DIR
in_python() { run "$root/env/capevalkit.sh" "$root/tests/support/capevalkit_runs.py" "$@"; }
capevalkit() { run "$root/env/capevalkit.sh" -m capevalkit.interfaces.launcher "$@"; }
cd "$scratch" || exit 70
"$bin/make_sample" --out coco --train 40 --val 1 --test 1 >said 2>&1 || { cat said; exit 70; }
captions=coco/annotations/captions_train2014.json

new_case "the manifest alone makes it a metric"
capevalkit doctor
exits 0
metrics=$(sed -n 's/^project_root\t//p' "$output")/metrics
mkdir -p "$metrics/blip_mpi"
cp "$root/jobs/capevalkit.toml" "$metrics/blip_mpi/metric.toml"
capevalkit list-metrics
exits 0; says "blip_mpi	repo=metrics/blip_mpi"

new_case "evaluate_captions: every metric, of every id as it was given"
in_python evaluate $captions out
exits 0; says "43 ids, BLEU-1, BLEU-2, BLEU-3, BLEU-4, CIDEr, "; says "ROUGE-L"

new_case "these are the scores that blip_mpi score prints, and writes of each image"
run "$bin/blip_mpi" score --references out/references.jsonl --results out/predictions.jsonl --json --per-image rows.json
exits 0
tail -1 "$output" >scores.json
run python3 - <<'PYTHON'
import json
found, scores, rows = (json.load(open(name)) for name in ('out/blip_mpi.json', 'scores.json', 'rows.json'))
for metric, own in found.items():
    name = metric.replace('BLEU-', 'Bleu_').replace('-', '_')
    assert own['score'] == scores.pop(name), metric
    assert list(own['per_item'].values()) == [row[name] for row in rows], metric
    assert len(set(own['per_item'].values())) > 10, metric
assert not [name for name, value in scores.items() if isinstance(value, float)], scores
PYTHON
exits 0

new_case "capevalkit score, into a folder that is not there, and with options of the program"
score() { capevalkit score --metric blip_mpi --predictions out/predictions.jsonl --references out/references.jsonl "$@"; }
score --output new/deep/scores.json
exits 0
run cmp out/blip_mpi.json new/deep/scores.json
exits 0
score --output cider.json -- --metrics cider
exits 0
run python3 -c 'import json; assert json.load(open("cider.json")) == {"CIDEr": json.load(open("out/blip_mpi.json"))["CIDEr"]}'
exits 0

new_case "capevalkit's own runner of these metrics, over pycocoevalcap, gives the same"
if ! (cd "$root" && env/oracle.sh --check) >said 2>&1; then
    skip_case "$(tail -n 1 said)"
elif ! grep -q METEOR out/blip_mpi.json; then
    skip_case "METEOR's tables are not installed"
else
    run "$root/env/oracle.sh" -c 'import sys
sys.path.append(sys.argv.pop(1))
from capevalkit.metrics.pycocoevalcap_metrics import main
sys.exit(main())' "$("$root/env/capevalkit.sh" -c 'import sys; print(sys.path[1])')" \
        --metrics bleu,rouge,meteor,cider --predictions out/predictions.jsonl --references out/references.jsonl --output theirs.json
    exits 0
    in_python same out/blip_mpi.json theirs.json "$(tolerance scores)" "$(tolerance meteor_corpus)" "$(tolerance meteor_of_image)" \
        "$(tolerance meteor_equal_images)"
    exits 0; says "METEOR: "
fi

new_case "capevalkit benchmark: scores and Kendall's tau of captions that were rated"
in_python flickr $captions data
exits 0
capevalkit benchmark --metric blip_mpi --benchmark flickr8k-ex --data-root data --score-key CIDEr --output bench.json
exits 0
python3 - <<'PYTHON'
import json
records = json.load(open('data/flickr8k/flickr8k.json'))
rated = [(f'{image}_{n}', judged['caption'], record['ground_truth'])
         for image, record in records.items() for n, judged in enumerate(record['human_judgement'])]
json.dump({name: references for name, _, references in rated}, open('refs.json', 'w'))
json.dump({name: caption for name, caption, _ in rated}, open('results.json', 'w'))
PYTHON
run "$bin/blip_mpi" score refs.json results.json --output own.json
exits 0
in_python tau bench.json own.json data
exits 0

new_case "the commands of jobs/scoring.md as they stand; CLIPScore with capevalkit's name for the pictures' folder"
mkdir page page/bin
printf '#!/bin/sh\nexec %q -m capevalkit.interfaces.launcher "$@"\n' "$root/env/capevalkit.sh" >page/bin/capevalkit
chmod +x page/bin/capevalkit
ln -s "$root/jobs" page/jobs
mv data page
(cd page && PYTHONDONTWRITEBYTECODE=1 python3 "$root/tests/end_to_end/score_clip.py" make && mv model_a clip-vit-base-patch32) ||
    fail "no CLIP model was made"
python3 - "$root/jobs/scoring.md" <<'PYTHON'
import json, re, sys
for name, member, out in (('references', 'references', 'references'), ('results', 'caption', 'predictions')):
    rows = [{'id': key, member: value} for key, value in json.load(open(f'page/{name}.json')).items()]
    open(f'page/{out}.jsonl', 'w').write(''.join(json.dumps(row) + '\n' for row in rows))
section = open(sys.argv[1]).read().partition('### Inside capevalkit\n')[2]
block = re.search('^```\n(.*?)^```', section, re.S | re.M)[1]
open('page/block.sh', 'w').write('set -e\n' + block.removeprefix('pip install capevalkit uv\n'))
PYTHON
run env -C page PATH="$scratch/page/bin:$PATH" CAPEVALKIT_HOME="$scratch/page/home" bash block.sh
exits 0
in_python tau page/new/rated.json own.json page/data
exits 0
run env -C page "$bin/blip_mpi" score references.json results.json --clip clip-vit-base-patch32 --images pictures --output own.json
exits 0
run cmp page/own.json page/new/clip.json
exits 0
run grep -c 'CLIPScore"' page/new/clip.json
says 2

new_case "a caption that is missing: the program's words and exit code"
head -n 5 out/predictions.jsonl >few.jsonl
score --predictions few.jsonl --output few.json
exits 65; says "few.jsonl lacks 38 of the 43 images"
leaves_nothing_like few.json
summary
