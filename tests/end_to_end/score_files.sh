#!/usr/bin/env bash
# blip_mpi score and odd files: what cannot be written or comes from a pipe, ids of every kind, parts, what Python writes.
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
score() { run "$bin/blip_mpi" score "$@"; }
cd "$scratch" || exit 70
export BLIP_DEPS=$scratch/nothing XDG_CACHE_HOME=$scratch/cache # without METEOR's tables

echo '{"9": ["a bus"], "7": ["Two cats sleep.", "cats asleep"], "42": ["A red dog runs."]}' >plain.json
echo '[{"image_id": 42, "caption": "a red dog runs"}, {"image_id": 7, "caption": "a dog"}, {"image_id": 9, "caption": "a bus"}]' >results.json
good=(--references plain.json --results results.json)

new_case "standard output that is full: 74, whatever is printed"
mkdir empty
for words in "score ${good[*]}" "score ${good[*]} --json" "score --help" "verify --help" "verify plain.json" "verify plain.json --json" "--help" "--version" \
    "train --help" "caption --print-config"; do
    status=0
    # shellcheck disable=SC2086 # words
    "$bin/blip_mpi" $words >/dev/full 2>"$output" || status=$?
    [ "$status" = 74 ] || fail "$words: exit $status instead of 74"
    grep -qE "cannot write .* to standard output: No space left" "$output" || fail "$words: $(cat "$output")"
done
status=0
"$bin/blip_mpi_score" "${good[@]}" >/dev/full 2>"$output" || status=$?
exits 74; says "cannot write scores to standard output: No space left"

new_case "what is read is not replaced by what is written, and no device is"
cp results.json kept.json
for words in "--output results.json" "--per-image ./plain.json" "--compare kept.json --write-cider-df kept.json" "--output ../${scratch##*/}/plain.json"; do
    # shellcheck disable=SC2086 # words
    score "${good[@]}" $words
    exits 64; says "would be replaced, and is read"
done
cmp -s results.json kept.json || fail "the results have changed"
is "$(cut -c1-6 plain.json)" '{"9": ' "references"
mkfifo out
score "${good[@]}" --output out
exits 74; says "cannot write out: it is a device or a pipe"
[ -p out ] || fail "the pipe was replaced"

new_case "references and results from pipes"
score "${good[@]}" --json
exits 0
tail -1 "$output" >whole.json # behind a warning with the time
mkfifo references results
timeout 20 sh -c 'cat plain.json >references' &
timeout 20 sh -c 'cat results.json >results' &
run timeout 20 "$bin/blip_mpi" score --references references --results results --json
wait
exits 0; is "$(tail -1 "$output")" "$(cat whole.json)" "scores from pipes"
run "$bin/blip_mpi" score --references <(cat plain.json) --results <(cat results.json) --json
exits 0; is "$(tail -1 "$output")" "$(cat whole.json)" "scores from <(...)"

new_case "an id that is there twice is named"
echo '{"7": ["zzz"], "42": ["a red dog"], "9": ["a bus"], "7": ["a dog"]}' >twice.json
score --references twice.json --results results.json
exits 65; says "twice.json: '7': image 7 is there twice"

new_case "--per-image: ids are what they were"
ids() { # REFERENCES RESULTS IDS_AS_PYTHON
    score --references "$1" --results "$2" --per-image per.json --metrics bleu
    exits 0
    run python3 -c "
import json, sys
ids = [row['image_id'] for row in json.load(open('per.json'))]
assert ids == $3 and [type(i) for i in ids] == [type(i) for i in $3], ids"
    exits 0
}
echo '{"007": ["a"], "7": ["b"], "-5": ["c"], "1234567890123456789": ["d"], "99999999999999999999": ["e"], "tokens": ["f"]}' >ids.json
echo '[{"image_id": "007", "caption": "a"}, {"image_id": 7, "caption": "b"}, {"image_id": -5, "caption": "c"},
    {"image_id": 1234567890123456789, "caption": "d"}, {"image_id": "99999999999999999999", "caption": "e"},
    {"image_id": "tokens", "caption": "f"}]' >ids_results.json
ids ids.json ids_results.json "['007', 7, -5, 1234567890123456789, '99999999999999999999', 'tokens']"
echo '{"annotations": [{"image_id": "42", "caption": "a"}, {"image_id": -5, "caption": "b"}, {"image_id": 1234567890123456789, "caption": "c"}]}' >ids.json
echo '[{"image_id": "42", "caption": "a"}, {"image_id": -5, "caption": "b"}, {"image_id": 1234567890123456789, "caption": "c"}]' >ids_results.json
ids ids.json ids_results.json "['42', -5, 1234567890123456789]"

new_case "--per-image that cannot be written is told before anything is read, and never costs the scores"
score --references absent.json --results results.json --per-image absent/per.json
exits 74; says "absent/per.json"; says_not "absent.json"
score "${good[@]}" --per-image empty
exits 74; says "cannot write empty: it is a folder"
leaves_nothing_like "empty.tmp*"
# room for the name alone: the disk is full when the scores are there
( trap '' XFSZ; ulimit -f 0; "$bin/blip_mpi" score "${good[@]}" --json --per-image full.json 2>&1; echo "exit $?" ) | cat >"$output"
says "$(cat whole.json)"; says "exit 74"; says "full.json"
leaves_nothing_like "full.json*"

new_case "a domain that is none of NoCaps' does not pass for a metric"
echo '{"images": [{"id": 7, "domain": "in-domain"}, {"id": 42, "domain": "Bleu_1"}],
 "annotations": [{"image_id": 7, "caption": "a cat"}, {"image_id": 42, "caption": "a dog"},
 {"image_id": 9, "caption": "a bus"}]}' >domains.json
score --references domains.json --results results.json --json
exits 0
python3 -c 'import json, sys; s = json.loads(open(sys.argv[1]).read().splitlines()[-1]); assert s["Bleu_1"] > 0 and s["in-domain"]["Bleu_1"] > 0, s' "$output" || fail "the scores"

new_case "what Python writes as NaN, where nobody asks for it"
python3 -c "
import json
rows = json.load(open('results.json'))
for row, p in zip(rows, (float('nan'), float('inf'), -float('inf'))): row['p'] = p
json.dump(rows, open('nan.json', 'w'))"
grep -q 'NaN.*"p": Infinity.*-Infinity' nan.json || fail "no NaN in nan.json"
score --references plain.json --results nan.json --json
exits 0; is "$(tail -1 "$output")" "$(cat whole.json)" "scores of results with NaN"
echo '[{"image_id": NaN, "caption": "a"}]' >nan.json
score --references plain.json --results nan.json
exits 65; says "row 0: 'image_id' is not a whole number"

new_case "a part: which images it is, and how many"
says_part() { # SCORED MISSING TEXT
    exits 0; says "$3"
    tail -1 "$output" >part.json
    run python3 -c "
import json
scores = json.load(open('part.json'))
assert scores['images'] == $1 and scores['images_missing'] == $2, scores
assert set(scores) - {'images', 'images_missing'} == set(json.load(open('whole.json'))), scores"
    exits 0
}
echo '[{"image_id": 42, "caption": "a red dog runs"}]' >one.json
score --references plain.json --results one.json --allow-missing --json
says_part 1 2 "scored 1 of 3 images: 42"
echo '[{"image_id": 42, "caption": "a red dog runs"}, {"image_id": 7, "caption": "a dog"}]' >two.json
score --references plain.json --results two.json --allow-missing --json
says_part 2 1 "scored 2 of 3 images; without a result: 9"
score "${good[@]}" --allow-missing --json
exits 0; is "$(tail -1 "$output")" "$(cat whole.json)" "scores when none is missing"
python3 -c "
import json
json.dump({i: ['a dog runs'] for i in range(100, 160)}, open('many.json', 'w'))
json.dump([{'image_id': i, 'caption': 'a dog'} for i in range(100, 123)], open('few.json', 'w'))"
score --references many.json --results few.json --allow-missing --json
says_part 23 37 "scored 23 of 60 images: 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119 and 3 more"

new_case "help says what the options do"
score --help
exits 0; says "as pycocoevalcap does"; says "--meteor-data DIR"; says "images_missing"
run "$bin/blip_mpi_score" help score
exits 0; says "--allow-missing"
summary
