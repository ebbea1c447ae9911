#!/usr/bin/env bash
# test: quick
# blip_mpi score --intervals and --compare against some lines of Python that resample the images themselves: BLEU from
# counts of each image, other metrics from its scores.
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
score() { run "$bin/blip_mpi" score "$@"; }
cd "$scratch" || exit 70
export BLIP_DEPS=$scratch/nothing # without METEOR's tables

# captions of drawn words, which the tokenizer leaves as they are: system B takes more of its words from the references
python3 - <<'PYTHON'
import json, random
random.seed(5)
words = ['man', 'dog', 'cat', 'bus', 'red', 'old', 'tree', 'street', 'runs', 'sits', 'near', 'park', 'table', 'plate', 'food', 'boy']
references, a, b, c = {}, [], [], []
for i in range(150):
    own = [[random.choice(words) for _ in range(random.randint(6, 11))] for _ in range(3)]
    references[i] = [' '.join(caption) for caption in own]
    for rows, share in ((a, 0.5), (b, 0.56), (c, 0.5)):
        start = random.choice(own)
        rows.append({'image_id': i, 'caption': ' '.join(w if random.random() < share else random.choice(words) for w in start)})
json.dump(references, open('references.json', 'w'))
for name, rows in (('a', a), ('b', b), ('c', c)):
    json.dump(rows, open(name + '.json', 'w'))
PYTHON
cat >reference.py <<'PYTHON'
import collections, json, math, random, sys
random.seed(1)
references = {int(i): [r.split() for r in own] for i, own in json.load(open('references.json')).items()}
ids = sorted(references)
grams = lambda words, n: collections.Counter(tuple(words[i:i + n]) for i in range(len(words) - n + 1))
def bleu_counts(words, own):    # right ones and all, by n, and both lengths
    right = [sum(min(k, max(grams(r, n)[g] for r in own)) for g, k in grams(words, n).items()) for n in (1, 2, 3, 4)]
    closest = min((abs(len(r) - len(words)), len(r)) for r in own)[1]
    return right + [max(0, len(words) + 1 - n) for n in (1, 2, 3, 4)] + [len(words), closest]
def bleu_4(s):
    product = math.exp(sum(math.log(max(s[n], 1e-15) / s[4 + n]) for n in range(4)) / 4)
    return product * min(1, math.exp(1 - s[9] / s[8]))
def table(name, metric):
    if metric == 'Bleu_4':
        captions = {row['image_id']: row['caption'].split() for row in json.load(open(name + '.json'))}
        return [bleu_counts(captions[i], references[i]) for i in ids], bleu_4
    rows = {row['image_id']: row[metric] for row in json.load(open(name + '.per.json'))}
    return [[rows[i]] for i in ids], lambda s: s[0] / len(ids)
def total(rows, images): return [sum(column) for column in zip(*(rows[i] for i in images))]
def percentiles(values):
    values = sorted(values)
    return values[round(0.025 * (len(values) - 1))], values[round(0.975 * (len(values) - 1))]
def resample(metric, draws):
    (a, score), (b, _) = table('a', metric), table('b', metric)
    everyone = range(len(ids))
    observed = score(total(b, everyone)) - score(total(a, everyone))
    of_a, differences, exchanged = [], [], 0
    for _ in range(draws):
        images = random.choices(everyone, k=len(ids))
        of_a.append(score(total(a, images)))
        differences.append(score(total(b, images)) - of_a[-1])
        swap = [random.random() < 0.5 for _ in everyone]
        first, second = ([y if s else x for x, y, s in zip(p, q, swap)] for p, q in ((a, b), (b, a)))
        exchanged += abs(score(total(second, everyone)) - score(total(first, everyone))) >= abs(observed) - 1e-12
    far = sum(abs(d - observed) >= abs(observed) for d in differences)
    return observed, percentiles(of_a), percentiles(differences), far / draws, exchanged / draws
PYTHON

new_case "intervals and p-values are those of a resampling written in Python"
for name in a b; do
    score references.json $name.json --per-image $name.per.json --json
    exits 0
done
score --references references.json --results a.json --compare b.json --json
exits 0
tail -1 "$output" >compared.json
run python3 - "$(tolerance resampled_ends)" "$(tolerance resampled_p_values)" <<'PYTHON'
from reference import *
ends, p_values = map(float, sys.argv[1:])
scores = json.load(open('compared.json'))
pair, = scores['comparisons']
assert (pair['first'], pair['second']) == ('a.json', 'b.json'), pair
for metric in ('Bleu_4', 'ROUGE_L', 'CIDEr'):
    observed, interval, of_difference, p_bootstrap, p_randomisation = resample(metric, 4000)
    got = pair[metric]
    print(metric, observed, interval, scores['intervals'][metric], of_difference, p_bootstrap, p_randomisation, got)
    assert abs(got['difference'] - observed) < 1e-6, metric
    for (low, high), (own_low, own_high) in ((interval, scores['intervals'][metric]), (of_difference, got['interval'])):
        error = (high - low) / 3.92
        assert abs(low - own_low) < ends * error and abs(high - own_high) < ends * error, (metric, low, high, own_low, own_high)
    assert abs(got['p_bootstrap'] - p_bootstrap) < p_values and abs(got['p_randomisation'] - p_randomisation) < p_values, metric
    assert 0.001 < p_bootstrap < 0.9, (metric, p_bootstrap)
assert scores['systems'][0]['intervals'] == scores['intervals'] and len(scores['systems']) == 2
PYTHON
exits 0

new_case "--intervals alone, every pair of three systems, the same each time, another with another --seed"
score references.json a.json --intervals --json
exits 0
tail -1 "$output" >alone.json
run python3 - <<'PYTHON'
import json
alone, compared = json.load(open('alone.json')), json.load(open('compared.json'))
assert alone['intervals'] == compared['intervals'] and 'comparisons' not in alone
assert all(low < alone[metric] < high for metric, (low, high) in alone['intervals'].items())
PYTHON
exits 0
score references.json a.json b.json c.json
exits 0; says "a.json                   b.json                   c.json"; says "b.json less a.json: paired bootstrap of 2000 resamples"
says "c.json less a.json: "; says "c.json less b.json: paired bootstrap of 2000 resamples, paired randomisation of 10000 exchanges, seed 1"
says "p, bootstrap  p, randomisation"
cp "$output" first
score references.json a.json b.json c.json --threads 1
is "$(cat "$output")" "$(cat first)" "the second time, with one thread"
score references.json a.json b.json c.json --seed 2
grep -v '\[' "$output" | grep -q "seed 2" || fail "it does not tell the seed"
[ "$(grep '^Bleu_1' "$output")" != "$(grep '^Bleu_1' first)" ] || fail "another seed gives the same intervals"

new_case "runs of one system: commas between their files; means of the runs are compared"
score --references references.json --results a.json,c.json --compare b.json --json --metrics rouge_l
exits 0
tail -1 "$output" >runs.json
score references.json c.json --json --metrics rouge_l
tail -1 "$output" >alone_c.json
run python3 - <<'PYTHON'
import json
c, runs, compared = json.load(open('alone_c.json')), json.load(open('runs.json')), json.load(open('compared.json'))
assert abs(runs['ROUGE_L'] - (c['ROUGE_L'] + compared['ROUGE_L']) / 2) < 1e-12, runs
assert runs['systems'][0]['name'] == 'a.json,c.json'
PYTHON
exits 0
cp a.json "x,y.json"
score references.json "x,y.json" --json --metrics rouge_l
exits 0
score references.json a.json,c.json --per-image per.json
exits 64; says "of one run"

new_case "a system equal to itself differs by nothing"
score references.json a.json a.json --json
exits 0
tail -1 "$output" >same.json
run python3 -c "
import json
pair, = json.load(open('same.json'))['comparisons']
assert all(row['difference'] == 0 and row['p_bootstrap'] == row['p_randomisation'] == 1 for key, row in pair.items() if 'e' in key and isinstance(row, dict)), pair"
exits 0

new_case "Markdown, LaTeX and numbers times 100"
score references.json a.json b.json --table markdown --percent --metrics bleu,rouge_l
exits 0; says "|  | images | Bleu\\_1 | Bleu\\_2 | Bleu\\_3 | Bleu\\_4 | ROUGE\\_L |"; says "|---|---:|"; says "| a.json | 150 | "
score references.json a.json --table latex
exits 0; says '\begin{tabular}{lrrrrrrr}'; says ' & images & Bleu\_1 & '; says 'a.json & 150 & 0.'; says '% signature images:150|references:450|'
plain=$(grep -o 'a.json & 150 & [0-9.]*' "$output")
score references.json a.json --table latex --percent
is "$(grep -o 'a.json & 150 & [0-9.]*' "$output" | awk '{printf "%.2f\n", $NF}')" "$(awk '{printf "%.2f\n", 100 * $NF}' <<<"$plain")" "Bleu_1 times 100"

new_case "what does not go together"
score references.json a.json --seed 3
exits 64; says "--seed draws resamples: it goes with --intervals or --compare"
score references.json a.json --json --percent
exits 64; says "--json has the plain numbers"
score references.json a.json --json --table latex
exits 64; says "--table latex"
score references.json a.json b.json --spice a.json
exits 64; says "--spice is of one system"
score references.json --compare b.json
exits 64; says "needs --results"
echo '[{"image_id": 3, "caption": "a dog"}]' >few.json
score references.json a.json few.json
exits 65; says "few.json lacks 149 of the 150 images"
score references.json a.json few.json --allow-missing
exits 0; says "scored 1 of 150 images: 3"
summary
