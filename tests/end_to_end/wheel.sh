#!/usr/bin/env bash
# The wheel of blip_score, installed into an empty environment: pycocoevalcap's names, whose results are those of blip_mpi score.
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
cd "$scratch" || exit 70
tables=${BLIP_DEPS:-${HOME:-}/.cache/blip_mpi}/meteor-1.5

new_case "the same wheel twice, installed where nothing else is"
for out in one two; do
    run python3 "$root/src/python/make_wheel.py" --program "$bin/blip_mpi_score" --licence "$root/LICENSE" --out $out
    exits 0
done
wheel=$(basename one/blip_score-*-py3-none-linux_x86_64.whl)
cmp -s "one/$wheel" "two/$wheel" || fail "the wheels differ"
run python3 -m venv --without-pip empty
exits 0
if python3 -m pip --version >/dev/null 2>&1; then
    run python3 -m pip --python empty/bin/python install --no-index --no-deps "one/$wheel"
    [ "$status" = 0 ] || run python3 -m pip install --no-index --no-deps --target empty/lib/site "one/$wheel" # an older pip
    exits 0
else
    run python3 -m zipfile -e "one/$wheel" empty/lib/site
    chmod +x empty/lib/site/blip_score/bin/*
fi
PYTHONPATH=$(dirname "$(dirname "$(find empty -path '*blip_score/program.py')")")
export PYTHONPATH
unset LD_LIBRARY_PATH

new_case "Bleu, Cider, Rouge, Meteor, PTBTokenizer and COCOEvalCap give what blip_mpi score gives"
[ -d "$tables" ] || { mkdir nothing && export BLIP_DEPS=$scratch/nothing; }
python3 - "${BLIP_CAPTIONS:-$root/../shared/data/coco_captions_half.json}" <<'PYTHON'
import json, os, random, sys
random.seed(3)
words = 'a the red old man dog cat bus, tree runs sits near park. table "plate" isn\'t and 2.5'.split()
groups = {}
if os.path.exists(sys.argv[1]):
    for row in json.load(open(sys.argv[1]))['annotations']:
        groups.setdefault(row['image_id'], []).append(row['caption'])
    groups = {i: own for i, own in list(groups.items())[:1000] if len(own) > 1}
else:
    groups = {i: [' '.join(random.choices(words, k=random.randint(4, 12))) for _ in range(4)] for i in range(1000)}
json.dump({str(i): own[1:] for i, own in groups.items()}, open('references.json', 'w'))
json.dump([{'image_id': i, 'caption': own[0]} for i, own in groups.items()], open('results.json', 'w'))
PYTHON
run "$bin/blip_mpi" score references.json results.json --json --per-image per.json
exits 0
tail -1 "$output" >scores.json
run empty/bin/python - <<'PYTHON'
import json, os
import blip_score
assert blip_score.__file__.startswith(os.path.abspath('empty')), blip_score.__file__
from blip_score.bleu.bleu import Bleu
from blip_score.cider.cider import Cider
from blip_score.eval import COCOEvalCap
from blip_score.rouge.rouge import Rouge
from blip_score.tokenizer.ptbtokenizer import PTBTokenizer
wanted, rows = json.load(open('scores.json')), json.load(open('per.json'))
references = {int(i): own for i, own in json.load(open('references.json')).items()}
results = {row['image_id']: row['caption'] for row in json.load(open('results.json'))}

class Coco:    # what COCOEvalCap asks of pycocotools
    def __init__(self, captions): self.imgToAnns = {i: [{'caption': c} for c in own] for i, own in captions.items()}
    def getImgIds(self): return list(self.imgToAnns)
coco, of_results = Coco(references), Coco({i: [results[i]] for i in references})
evaluation = COCOEvalCap(coco, of_results)
evaluation.evaluate()
metrics = [name for name, value in wanted.items() if isinstance(value, float)]
assert len(metrics) >= 6 and set(evaluation.eval) == set(metrics), (evaluation.eval, wanted)
assert ('METEOR' in metrics) == (not evaluation.problems), evaluation.problems
for name in metrics:
    assert evaluation.eval[name] == wanted[name], name
    assert [one[name] for one in evaluation.evalImgs] == [row[name] for row in rows], name

gts, res = PTBTokenizer().tokenize(coco.imgToAnns), PTBTokenizer().tokenize(of_results.imgToAnns)
score, scores = Bleu(4).compute_score(gts, res)
assert score == [wanted[f'Bleu_{n}'] for n in (1, 2, 3, 4)] and len(scores) == 4 and len(scores[0]) == len(rows)
assert len(Bleu(2).compute_score(gts, res)[0]) == 2
assert Cider().compute_score(gts, res)[0] == wanted['CIDEr'] and Rouge().compute_score(gts, res)[0] == wanted['ROUGE_L']
assert (Bleu().method(), Cider().method(), Rouge().method()) == ('Bleu', 'CIDEr', 'Rouge')
PYTHON
exits 0

new_case "errors become exceptions, and the next question is answered; so it is after a fork"
run empty/bin/python - <<'PYTHON'
import os
from blip_score.bleu import Bleu
from blip_score.meteor import Meteor
from blip_score.program import ScoreError, program
for question, kind in (({'score': 'bleu', 'hypotheses': ['a'], 'references': [[]]}, ScoreError),
                       ({'score': 'spice', 'hypotheses': [], 'references': []}, ScoreError),
                       ({'score': 'bleu', 'hypotheses': [1], 'references': [['a']]}, ScoreError), ({}, ScoreError)):
    try:
        program.ask(question)
    except kind as problem:
        print(problem)
    else:
        raise AssertionError(question)
try:
    Meteor('absent').compute_score({1: ['a']}, {1: ['a']})
except FileNotFoundError as problem:
    assert 'absent/english.words' in str(problem), problem
else:
    raise AssertionError('no error')
if (child := os.fork()) == 0:
    os._exit(0 if Bleu(1).compute_score({1: ['a']}, {1: ['a']})[0][0] > 0.99 else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert Bleu(1).compute_score({1: ['b']}, {1: ['a']})[0][0] < 0.01
try:
    Bleu().compute_score({1: ['a']}, {2: ['a']})
except AssertionError:
    pass
else:
    raise SystemExit('other keys are taken')
PYTHON
exits 0; says "BLEU: caption 0 has no reference"
summary
