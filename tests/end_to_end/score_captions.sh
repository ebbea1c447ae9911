#!/usr/bin/env bash
# test: quick sanitizers
# blip_mpi score as a stranger would use it: every form of references, what is missing, repeated or unknown, and the COCO
# evaluation's own numbers where the golden data are.
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
score() { run "$bin/blip_mpi" score "$@"; }
# the metrics of one JSON object, which is all that the file holds
metrics_of() { python3 -c 'import json, sys; print(*(k for k, v in json.load(open(sys.argv[1])).items() if isinstance(v, float)))' "$1"; }
cd "$scratch" || exit 70
tables=${BLIP_DEPS:-${HOME:-}/.cache/blip_mpi}/meteor-1.5
export BLIP_DEPS=$scratch/nothing XDG_CACHE_HOME=$scratch/cache # without METEOR's tables, but where a case has some

cat >coco.json <<'JSON'
{"images": [{"id": 7}, {"id": 42}, {"id": 9}],
 "annotations": [{"image_id": 42, "caption": "A red dog runs."}, {"image_id": 7, "caption": "Two cats\nsleep."},
                 {"image_id": 42, "caption": "The dog is red and it runs."}, {"image_id": 7, "caption": "cats asleep"}]}
JSON
cat >karpathy.json <<'JSON'
{"images": [{"cocoid": 7, "split": "val", "sentences": [{"raw": "Two cats\nsleep."}, {"raw": "cats asleep"}]},
            {"cocoid": 1, "split": "restval", "sentences": [{"raw": "a bus"}]},
            {"cocoid": 2, "split": "train", "sentences": [{"raw": "a boat"}]},
            {"cocoid": 42, "split": "val", "sentences": [{"raw": "A red dog runs."}, {"raw": "The dog is red and it runs."}]}]}
JSON
cat >job.json <<'JSON'
[{"image": "val2014/COCO_val2014_000000000007.jpg", "caption": ["Two cats\nsleep.", "cats asleep"]},
 {"image": "val2014/COCO_val2014_000000000042.jpg", "caption": ["A red dog runs.", "The dog is red and it runs."]}]
JSON
echo '{"7": ["Two cats\nsleep.", "cats asleep"], "42": ["A red dog runs.", "The dog is red and it runs."]}' >plain.json
echo '[{"image_id": 42, "caption": "a red dog runs", "log_probability": -3.5}, {"image_id": 7, "caption": "a dog"}]' >results.json

new_case "every form of references gives the same scores"
score --references coco.json --results results.json --json
exits 0; says '"Bleu_1":'; says '"ROUGE_L":'; says '"CIDEr":'
tail -1 "$output" >first
for form in "karpathy.json --split val" job.json plain.json; do
    # shellcheck disable=SC2086 # a form may have an option
    score --references $form --results results.json --json
    exits 0; is "$(tail -1 "$output")" "$(cat first)" "scores from $form"
done

new_case "the same from blip_mpi_score, which blip_mpi becomes: neither loads LibTorch or MPI"
run "$bin/blip_mpi_score" --references coco.json --results results.json --json
exits 0; is "$(tail -1 "$output")" "$(cat first)" "scores of blip_mpi_score"
for program in blip_mpi blip_mpi_score; do
    is "$(ldd "$bin/$program" | awk '$1 ~ /torch|c10|libmpi/ {print $1}')" "" "libraries of LibTorch or MPI that $program loads"
done
mkdir lonely && cp "$bin/blip_mpi" lonely
run lonely/blip_mpi score --references coco.json --results results.json --json
exits 66; says "lonely/blip_mpi_score cannot be started: No such file or directory"

new_case "closed form: unigrams in common, the brevity penalty, and what is not computed"
echo '[{"image_id": 7, "caption": "two cats"}, {"image_id": 42, "caption": "a red dog"}]' >short.json
score --references coco.json --results short.json
exits 0
# 5 of 5 words are right; closest references: 2 and 4 words; exp(1 - 6/5)
says "Bleu_1    0.8187"; says "images    2"; says "METEOR not computed: cannot read "; says "env/setup.sh --with-meteor"; says "SPICE     not computed"

new_case "METEOR with tables of a few words, from --meteor-data or from where env/setup.sh puts them"
mkdir -p tables nothing
printf 'the\na\n' >tables/english.words
printf 'couch\n1 2\nsofa\n2\n' >tables/english.synsets
printf 'run\nran\n' >tables/english.exceptions
printf '0.5\nin front of\nbefore\n' | gzip >tables/paraphrase-en.gz
score --references coco.json --results short.json --meteor-data tables
exits 0; says "METEOR's tables in tables compiled in "; says "blip_mpi_score --compile-meteor tables"
[ ! -e cache ] || fail "it keeps something in the user's cache"
# "two cats" of "Two cats sleep.": precision 1, recall 2/3, one piece of two words; "a red dog" of "A red dog runs.": 1, 7/10,
# three words, with 1/4 for "a"; sums: precision 1, recall 3.25 of 4.75, two pieces of five words
says "METEOR    0.3595"; says_not "METEOR not"; says "SPICE     not computed"
run "$bin/blip_mpi_score" --compile-meteor tables
exits 0
score --references coco.json --results short.json --meteor-data tables --json --metrics meteor --per-image per.json
exits 0; is "$(metrics_of "$output")" METEOR "with an index there is nothing to compile and nothing to say"
cp "$output" meteor.json
run python3 -c "
import json
rows = json.load(open('per.json'))
f = lambda p, r, c, m: p * r / (.85 * p + .15 * r) * (1 - .6 * (c / m) ** .2)
want = [f(1, 2 / 3, 1, 2), f(1, 1.75 / 2.5, 1, 3)]
assert all(abs(row['METEOR'] - w) < 1e-12 for row, w in zip(rows, want)), (rows, want)
assert abs(json.load(open('meteor.json'))['METEOR'] - f(1, 3.25 / 4.75, 2, 5)) < 1e-12"
exits 0
ln -s ../tables nothing/meteor-1.5
score --references coco.json --results short.json
exits 0; says "METEOR    0.3595"
rm nothing/meteor-1.5
score --references coco.json --results short.json --metrics meteor
exits 66; says "nothing/meteor-1.5/english.words"; says "env/setup.sh --with-meteor"
score --references coco.json --results short.json --meteor-data absent
exits 66; says "absent/english.words"
run "$bin/blip_mpi_score" --compile-meteor absent
exits 66; says "absent/english.words"
cp -rp tables few_tables
echo "no numbers" >tables/english.synsets
score --references coco.json --results short.json --meteor-data tables
exits 65; says "english.synsets"; says "it is not used"

new_case "CIDEr's document frequencies: written from references, as counted by other means, and used"
score --references coco.json --write-cider-df df.json
exits 0; says "df.json: "; says " of 2 images"
run python3 - <<'PYTHON'
import json
captions = {7: ['two cats sleep', 'cats asleep'], 42: ['a red dog runs', 'the dog is red and it runs']}
df = {}
for of_image in captions.values():
    seen = {' '.join(words[i:i + n]) for words in map(str.split, of_image) for n in (1, 2, 3, 4) for i in range(len(words) - n + 1)}
    for gram in seen:
        df[gram] = df.get(gram, 0) + 1
file = json.load(open('df.json'))
assert file == {'documents': 2, 'df': df}, (file, df)
PYTHON
exits 0
score --references coco.json --results results.json --json --cider-df df.json --write-cider-df again.json
exits 0; is "$(tail -1 "$output" | sed 's/df-[0-9a-f]*/df-references/')" "$(cat first)" "scores with the references' own frequencies"
cmp -s again.json df.json || fail "the frequencies differ when written twice"

new_case "CIDEr with the frequencies of another collection, as a few lines of Python have it"
echo '{"documents": 1000, "df": {"dog": 100, "red": 20, "a": 900, "a red": 5, "cats": 3, "red dog": 2, "elsewhere": 1}}' >other.json
score --references coco.json --results results.json --json --metrics cider --cider-df other.json --per-image per.json
exits 0
run python3 - "$(tolerance scores)" <<'PYTHON'
import collections, json, math, sys
file = json.load(open('other.json'))
references = {7: ['two cats sleep', 'cats asleep'], 42: ['a red dog runs', 'the dog is red and it runs']}
results = {7: 'a dog', 42: 'a red dog runs'}
def vector(text, n):
    words = text.split()
    counts = collections.Counter(' '.join(words[i:i + n]) for i in range(len(words) - n + 1))
    return {g: c * math.log(file['documents'] / file['df'].get(g, 1)) for g, c in counts.items()}
def norm(v): return math.sqrt(sum(x * x for x in v.values()))
def similarity(guess, reference):
    total = 0
    for n in (1, 2, 3, 4):
        g, r = vector(guess, n), vector(reference, n)
        product = sum(min(w, r[k]) * r[k] for k, w in g.items() if k in r)
        total += product / (norm(g) * norm(r)) if norm(g) * norm(r) else product
    return 10 * total / 4 * math.exp(-(len(guess.split()) - len(reference.split())) ** 2 / 72)
wanted = {i: sum(similarity(results[i], r) for r in references[i]) / len(references[i]) for i in references}
got = {row['image_id']: row['CIDEr'] for row in json.load(open('per.json'))}
assert got.keys() == wanted.keys() and all(abs(got[i] - wanted[i]) <= float(sys.argv[1]) for i in got), (got, wanted)
assert wanted[42] > 1
PYTHON
exits 0

new_case "several captions of a picture: the first is scored, self-CIDEr is what a few lines of Python make of it"
python3 -c "
import json
captions = {7: ['a dog', 'two cats sleep', 'two cats sleep here'], 42: ['a red dog runs', 'a red dog runs'], 8: ['a bird']}
for i, own in captions.items():
    for k, caption in enumerate(own):
        print(json.dumps({'id': i, 'index': k, 'caption': caption}))" >several.jsonl
sed 's/"images": \[/&{"id": 8}, /; s/"annotations": \[/&{"image_id": 8, "caption": "a grey bird"}, /' coco.json >three.json
score --references three.json --results several.jsonl --json --metrics cider,bleu
exits 0; tail -1 "$output" >several.score
score --references three.json --results several.jsonl --json --metrics cider,bleu --cider-df other.json
exits 0; tail -1 "$output" >several.other
run python3 - "$(tolerance scores)" <<'PYTHON'
import collections, json, math, sys
captions = collections.defaultdict(list)
for row in map(json.loads, open('several.jsonl')):
    captions[row['id']].append(row['caption'])
references = {7: ['two cats sleep', 'cats asleep'], 42: ['a red dog runs', 'the dog is red and it runs'], 8: ['a grey bird']}
def grams(text, n):
    words = text.split()
    return [' '.join(words[i:i + n]) for i in range(len(words) - n + 1)]
own = collections.Counter(g for texts in references.values() for g in {g for t in texts for n in (1, 2, 3, 4) for g in grams(t, n)})
def eigenvalues(a):    # the largest by powers of the matrix, then the same of what is left without it
    found = []
    for _ in a:
        v = [1 + 0.1 * i for i in range(len(a))]
        for _ in range(3000):
            w = [sum(x * y for x, y in zip(row, v)) for row in a]
            norm = math.sqrt(sum(x * x for x in w))
            if norm < 1e-12:
                break
            v = [x / norm for x in w]
        found.append(norm)
        a = [[a[i][j] - norm * v[i] * v[j] for j in range(len(a))] for i in range(len(a))]
    return found
def diversity(texts, documents, df):
    def vector(text, n):
        return {g: c * math.log(documents / max(1, df.get(g, 0))) for g, c in collections.Counter(grams(text, n)).items()}
    def cosine(a, b, n):
        a, b = vector(a, n), vector(b, n)
        norms = math.sqrt(sum(x * x for x in a.values()) * sum(x * x for x in b.values()))
        return sum(a[g] * b[g] for g in a if g in b) / norms if norms else 0
    kernel = [[sum(cosine(a, b, n) for n in (1, 2, 3, 4)) / 4 for b in texts] for a in texts]
    roots = [math.sqrt(max(0, value)) for value in eigenvalues(kernel)]
    return -math.log(max(roots) / sum(roots)) / math.log(len(texts))
other = json.load(open('other.json'))
for name, documents, df in (('several.score', 3, own), ('several.other', other['documents'], other['df'])):
    score = json.load(open(name))
    got, wanted = score['captions']['diversity'], [diversity(captions[i], documents, df) for i in (7, 42)]
    assert 0.1 < wanted[0] < 1 and abs(wanted[1]) < 1e-6, wanted
    assert (got['images'], got['captions']) == (2, 5) and abs(got['self_cider'] - sum(wanted) / 2) < 1e-6, (got, wanted)
PYTHON
exits 0
score --references three.json --results several.jsonl --metrics cider
exits 0; says "over the 5 captions of 2 images"
grep -v '"index": [12]' several.jsonl >first.jsonl
score --references three.json --results first.jsonl --json --metrics cider,bleu
exits 0
is "$(tail -1 "$output")" "$(sed 's/,"diversity":{[^}]*}//' several.score)" "scores without the further captions"

new_case "coco-val2014: COCO's frequencies are made once, and known by this name"
export BLIP_DEPS=$PWD/deps
score --references coco.json --results results.json --metrics cider --cider-df coco-val2014
exits 66; says "deps/coco-val2014.json: is not there yet"; says "--write-cider-df coco-val2014"
score --references coco.json --write-cider-df coco-val2014
exits 64; says "40504 validation images"; says "these references are of 2"
[ ! -e deps ] || fail "something was written"
python3 -c "
import json
captions = ['a red dog runs', 'two cats sleep', 'the dog is red and it runs']
print(json.dumps({f'{i}': [captions[i % 3]] for i in range(40504)}))" >all.json
score --references all.json --write-cider-df coco-val2014
exits 0; says "deps/coco-val2014.json: "; says " of 40504 images"
score --references coco.json --results results.json --json --metrics cider --cider-df coco-val2014
exits 0; tail -1 "$output" >named
score --references coco.json --results results.json --json --metrics cider --cider-df deps/coco-val2014.json
exits 0; is "$(tail -1 "$output")" "$(cat named)" "scores by the file itself"
cp other.json coco-val2014
score --references coco.json --results results.json --json --metrics cider --cider-df coco-val2014
exits 0; [ "$(tail -1 "$output")" != "$(cat named)" ] || fail "a file of this name was not read"
rm coco-val2014
export BLIP_DEPS=$scratch/nothing

new_case "files of document frequencies that are none"
for bad in '{"documents": 2' '[]' '7' '{"documents": 2}' '{"df": {"a": 1}}' '{"documents": 0, "df": {}}' '{"documents": 2, "df": {"a": 3}}' \
    '{"documents": 2, "df": {"a": 0}}' '{"documents": 2, "df": {"a": -1}}' '{"documents": 2, "df": {"a": 1.5}}' \
    '{"documents": 2, "df": {"a": "1"}}' '{"documents": 2, "df": {"a": 1, "a": 1}}' '{"documents": 2, "df": {"a  b": 1}}' \
    '{"documents": 2, "df": {"a b c d e": 1}}' '{"documents": 2, "df": {"": 1}}' '{"documents": 2, "df": {"a": {"b": 1}}}' \
    '{"documents": 2, "end_token": "<eos>", "df": {"a": 1}}' '{"documents": 2, "split": 3, "df": {}}' '{"documents": 2, "df": {"a": 1}, "more": 3}' '{"documents": 2, "df": {}, "df": {}}'; do
    echo "$bad" >bad.json
    score --references coco.json --results results.json --cider-df bad.json
    exits 65; says "bad.json: "; says "write-cider-df makes such files"
done
printf '{"documents": 2, "df": {"a\xff": 1}}' >bad.json
score --references coco.json --results results.json --cider-df bad.json
exits 65; says "bad.json: malformed JSON"
score --references coco.json --results results.json --cider-df absent.json
exits 66; says "absent.json"
score --write-cider-df df2.json
exits 64; says "needs --references"
[ ! -e df2.json ] || fail "df2.json was written"
score --references coco.json --write-cider-df absent/df.json
exits 74; says "absent"
score --references coco.json --results results.json --end-token
exits 64; says "--end-token has no effect without --write-cider-df"

new_case "NoCaps: each domain by itself, too"
sed 's/{"id": 7}/{"id": 7, "domain": "in-domain"}/; s/{"id": 42}/{"id": 42, "domain": "out-domain"}/' coco.json >nocaps.json
score --references nocaps.json --results results.json
exits 0; says "all       in-domain    out-domain"; says "images    2         1            1"
score --references nocaps.json --results results.json --json
exits 0
tail -1 "$output" >domains
run python3 -c "
import json
all, domains = json.load(open('first')), json.load(open('domains'))
assert {k: v for k, v in domains.items() if not k.endswith('domain')} == all
# the only words in common with the picture of cats: none; the other caption is its reference but for the end
assert domains['in-domain']['ROUGE_L'] == 0 and domains['out-domain']['Bleu_4'] > 0.999, domains"
exits 0

new_case "--metrics and --per-image"
score --references coco.json --results results.json --metrics rouge_l --per-image per.json --json
exits 0; is "$(metrics_of "$output")" ROUGE_L "metrics"
run python3 -c "
import json
rows = json.load(open('per.json'))
assert rows == [
    {'image_id': 7, 'caption': 'a dog', 'references': ['Two cats\\nsleep.', 'cats asleep'], 'length': 2, 'reference_lengths': [3, 2], 'ROUGE_L': 0},
    {'image_id': 42, 'caption': 'a red dog runs', 'references': ['A red dog runs.', 'The dog is red and it runs.'], 'length': 4,
     'reference_lengths': [4, 7], 'ROUGE_L': 1}], rows
"
exits 0

new_case "an image without a result: named, unless --allow-missing"
echo '[{"image_id": 42, "caption": "a red dog runs"}]' >one.json
score --references coco.json --results one.json
exits 65; says "lacks 1 of the 2 images"; says ": 7; --allow-missing"
score --references coco.json --results one.json --allow-missing
exits 0; says "scored 1 of 2 images; without a result: 7"; says "images    1"

new_case "repeated and unknown images are named"
echo '[{"image_id": 42, "caption": "x"}, {"image_id": 42, "caption": "y"}, {"image_id": 7, "caption": "z"}]' >twice.json
score --references coco.json --results twice.json
exits 65; says "more than one caption for some images (1): 42"
echo '[{"image_id": 42, "caption": "x"}, {"image_id": 7, "caption": "y"}, {"image_id": 1000, "caption": "z"}]' >unknown.json
score --references coco.json --results unknown.json
exits 65; says "images (1) without references in coco.json: 1000"

new_case "splits: one has to be chosen, and must be there"
score --references karpathy.json --results results.json
exits 64; says "holds several splits: choose with --split train or --split val"
score --references karpathy.json --results results.json --split test
exits 64; says "has no split 'test', only train, val"
score --references coco.json --results results.json --split val
exits 64; says "does not tell splits apart"

new_case "files that are none"
for bad in '{"images": ' '17' '{"7": "text"}' '[{"caption": []}]' '{"annotations": [{"image_id": 1}]}' '{}' '{"7": []}'; do
    echo "$bad" >bad.json
    score --references bad.json --results results.json
    exits 65; says "bad.json: "
done
for bad in '{"images": ' '{}' '[{"image_id": 7}]' '[{"image_id": 7.5, "caption": "x"}]' '[1]'; do
    echo "$bad" >bad.json
    score --references coco.json --results bad.json
    exits 65; says "bad.json: "
done
printf '[{"image_id": 7, "caption": "x\xff"}]' >bad.json
score --references coco.json --results bad.json
exits 65; says "row 0"; says "UTF-8"
score --references absent.json --results results.json
exits 66; says "absent.json"

new_case "wrong words"
score --references coco.json
exits 64; says "needs --results"
score --references coco.json --results results.json --metric bleu
exits 64; says "did you mean --metrics?"
score --references coco.json --results results.json --metrics spicy
exits 64; says "spicy"

new_case "the COCO evaluation's own numbers"
golden=${BLIP_GOLDEN_DIR:-$BLIP_ROOT/../shared/golden}/metrics.json.gz
captions=${BLIP_CAPTIONS:-$BLIP_ROOT/../shared/data/coco_captions_half.json}
if [ -f "$golden" ] && [ -f "$captions" ]; then
    python3 - "$golden" "$captions" <<'PYTHON'
import gzip, json, sys
golden, captions = json.load(gzip.open(sys.argv[1])), json.load(open(sys.argv[2]))
first, others = {}, []
for row in captions['annotations']:
    others.append(row) if row['image_id'] in first else first.update({row['image_id']: row['caption']})
json.dump({'images': [{'id': i} for i in golden['image_ids']], 'annotations': others}, open('references.json', 'w'))
json.dump([{'image_id': i, 'caption': c} for i, c in first.items()], open('hypotheses.json', 'w'))
PYTHON
    score --references references.json --results hypotheses.json --json --per-image per.json --metrics bleu,rouge_l,cider
    exits 0
    tail -1 "$output" >scores.json
    run python3 - "$golden" scores.json <<'PYTHON'
import gzip, json, sys
golden, scores, per = json.load(gzip.open(sys.argv[1])), json.load(open(sys.argv[2])), json.load(open('per.json'))
compared = 0
for name, value in scores.items():
    if not isinstance(value, float): continue
    assert abs(value - golden['scores'][name]) < 1e-4, (name, value)    # tolerances.h: scores_of_raw_captions
    compared += sum(abs(row[name] - wanted) < 1e-9 for row, wanted in zip(per, golden['per_image'][name]))
metrics = sum(isinstance(value, float) for value in scores.values())
assert metrics == 6 and compared >= 0.999 * len(per) * metrics and len(per) == len(golden['image_ids']), compared
print(compared, 'of', len(per) * metrics, 'scores of images')
PYTHON
    exits 0
else
    skip_case "no golden data"
fi

new_case "the COCO evaluation's own METEOR"
if [ ! -f references.json ]; then
    skip_case "no golden data"
elif [ ! -f "$tables/paraphrase-en.gz" ]; then
    skip_case "METEOR's tables are not in $tables: env/setup.sh --with-meteor"
else
    score --references references.json --results hypotheses.json --json --metrics meteor --meteor-data "$tables" --per-image per.json
    exits 0
    tail -1 "$output" >scores.json
    run python3 - "$golden" "$(tolerance meteor_corpus)" "$(tolerance meteor_of_image)" "$(tolerance meteor_equal_images)" <<'PYTHON'
import gzip, json, sys
golden, (corpus, image, share) = json.load(gzip.open(sys.argv[1])), map(float, sys.argv[2:])
scores, per = json.load(open('scores.json')), json.load(open('per.json'))
assert abs(scores['METEOR'] - golden['scores']['METEOR']) <= corpus, scores
assert [row['image_id'] for row in per] == golden['image_ids']
near = sum(abs(row['METEOR'] - wanted) <= image for row, wanted in zip(per, golden['per_image']['METEOR']))
assert near >= share * len(per), near
print(scores, near, 'of', len(per))
PYTHON
    exits 0
fi

new_case "a few captions take less than a second when METEOR's index is there"
[ -f "$tables/index-1" ] || tables=few_tables
score --references coco.json --results results.json --meteor-data "$tables"
exits 0; says "METEOR  "; says_not "METEOR not"
fastest_us=999999999
for _ in 1 2 3 4 5; do
    start=${EPOCHREALTIME/[.,]/}
    score --references coco.json --results results.json --meteor-data "$tables"
    took_us=$((${EPOCHREALTIME/[.,]/} - start))
    exits 0; says_not "compiled"
    [ "$took_us" -ge "$fastest_us" ] || fastest_us=$took_us
done
echo "blip_mpi score of two captions: $((fastest_us / 1000)) ms"
[ "$fastest_us" -lt 1000000 ] || fail "the fastest of five took $fastest_us us"
summary
