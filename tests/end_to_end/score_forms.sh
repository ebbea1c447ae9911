#!/usr/bin/env bash
# test: quick
# Every form that blip_mpi score reads gives the same scores; what is none of them is named from its first bytes; what it
# writes of each image. Needs the program that reads packed data sets for one case.
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
score() { run "$bin/blip_mpi" score "$@"; }
cd "$scratch" || exit 70
export BLIP_DEPS=$scratch/nothing # without METEOR's tables

python3 - <<'PYTHON'
import csv, json, os
references = {42: ['A red dog runs.', 'The dog is red, and "it" runs.'], 7: ['Two cats sleep.', 'cats asleep'], 9: ['a bus', 'a big bus']}
results = {42: 'a red dog runs', 7: 'a dog', 9: 'a bus'}
big = 2 ** 63
uuid = lambda i: f'0190a1b2-{i:04d}-7000-8000-0000000000ff'
def lines(name, rows): open(name, 'w').write(''.join(json.dumps(row) + '\n' for row in rows))
def table(name, rows, delimiter=','):
    with open(name, 'w', newline='') as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerows(rows)
json.dump({str(i): own for i, own in references.items()}, open('references.json', 'w'))
json.dump([{'image_id': i, 'caption': c} for i, c in results.items()], open('results.json', 'w'))
# references
lines('references.jsonl', [{'id': str(i), 'references': own} for i, own in references.items()])
table('references.csv', [('image_id', 'caption')] + [(i, c) for i, own in references.items() for c in own])
table('references.tsv', [('Key', 'Words', 'caption')] + [(f'{i}.0', c, 'x') for i, own in references.items() for c in own], '\t')
json.dump([{'image_id': float(i), 'caption': c} for i, own in references.items() for c in own], open('rows.json', 'w'))
json.dump({'annotations': [{'image_id': str(i), 'caption': c} for i, own in references.items() for c in own]}, open('coco_texts.json', 'w'))
os.mkdir('references'); os.mkdir('results'); os.mkdir('empty')
for i, own in references.items(): open(f'references/{i}.txt', 'w').write('\n'.join(own) + '\n\n')
# results
for i, c in results.items(): open(f'results/{i}.{"TXT" if i % 2 else "txt"}', 'w').write(c + '\n')
lines('results.jsonl', [{'id': i, 'caption': c} for i, c in results.items()])
lines('captioned.jsonl', [row for i, c in results.items() for row in (
    {'file': f'pictures/COCO_val2014_{i:012d}.jpg', 'index': 0, 'caption': c, 'log_probability': -3.5},
    {'file': f'pictures/COCO_val2014_{i:012d}.jpg', 'index': 1, 'caption': 'the second', 'log_probability': -4.5})] +
    [{'file': 'pictures/broken.jpg', 'error': 'not a picture'}])
table('captioned.csv', [('file', 'caption', 'log_probability')] + [(f'pictures/{i}.jpg', c, -3.5) for i, c in results.items()])
table('results.csv', [('id', 'caption')] + [(i, c) for i, c in results.items()], ';')
table('own.tsv', [('Nr', 'Said')] + [(f'{i}.0', c) for i, c in results.items()], '\t')
json.dump([{'image_id': float(i), 'caption': c} for i, c in results.items()], open('floats.json', 'w'))
json.dump([{'image_id': f'{i:012d}', 'caption': [c]} for i, c in results.items()], open('zeros.json', 'w'))
json.dump({str(i): [c] for i, c in results.items()}, open('lists.json', 'w'))
json.dump({str(i): c for i, c in results.items()}, open('texts.json', 'w'))
json.dump({'results': [{'image_id': i, 'caption': c} for i, c in results.items()]}, open('wrapped.json', 'w'))
open('bom.json', 'wb').write(b'\xef\xbb\xbf' + open('results.json', 'rb').read())
# other ids
for name, key in (('uuid', uuid), ('big', lambda i: big + i), ('file', lambda i: f'pictures/img {i}.jpg')):
    json.dump({'annotations': [{'image_id': key(i), 'caption': c} for i, own in references.items() for c in own]}, open(f'{name}_references.json', 'w'))
    lines(f'{name}.jsonl', [{'id': key(i), 'caption': c} for i, c in results.items()])
table('file.csv', [('image', 'caption')] + [(f'img {i}.jpg', c) for i, c in results.items()])
PYTHON
numbers() { sed 's/,"captions".*//' <<<"$1"; }
score references.json results.json --json
exits 0
tail -1 "$output" >first
same() { # WHAT ARGUMENTS...: exit 0 and the same scores, whether or not there are further captions
    score "${@:2}" --json
    exits 0; is "$(tail -1 "$output" | sed 's/,"diversity":{[^}]*}//')" "$(cat first)" "$1"
}

new_case "references: JSON lines, CSV, TSV with columns of other names, a list of rows, ids as texts, a folder of texts"
for form in references.jsonl references.csv rows.json coco_texts.json references; do same "$form" $form results.json; done
same "TSV" references.tsv results.json --id-column key --caption-column words

new_case "results: JSON lines, CSV, TSV, a folder, objects, ids as 42.0, 000000000042 and texts, what caption writes"
for form in results.jsonl captioned.jsonl captioned.csv results.csv floats.json zeros.json lists.json texts.json wrapped.json bom.json results; do
    same "$form" references.json $form
done
same "own.tsv" --references references.json --results own.tsv --id-column nr --caption-column said
same "--predictions" --predictions results.jsonl --references references.jsonl

new_case "standard input, and pipes of every form"
for form in results.json results.jsonl results.csv; do
    run sh -c "cat $form | '$bin/blip_mpi' score references.json - --json"
    exits 0; is "$(tail -1 "$output")" "$(cat first)" "$form from standard input"
    same "$form from a pipe" references.json <(cat $form)
done
run sh -c "cat references.jsonl | '$bin/blip_mpi' score - results.json --json"
exits 0; is "$(tail -1 "$output")" "$(cat first)" "references from standard input"

new_case "ids: UUIDs, above 2^63, names of files with and without their folder"
for name in uuid big file; do
    score ${name}_references.json $name.jsonl --json
    exits 0; is "$(numbers "$(tail -1 "$output")")" "$(numbers "$(cat first)")" "$name"
done
score file_references.json file.csv --json
exits 0; is "$(numbers "$(tail -1 "$output")")" "$(numbers "$(cat first)")" "base names"
echo '{"annotations": [{"image_id": "a/1.jpg", "caption": "x"}, {"image_id": "b/1.jpg", "caption": "y"}]}' >two.json
printf 'image,caption\n1.jpg,x\n' >one.csv
score two.json one.csv --allow-missing
exits 65; says "images (1) without references in two.json: 1.jpg"

new_case "a packed data set has the references"
if [ -x "$bin/make_sample" ] && "$bin/blip_mpi_cpu" --version >/dev/null 2>&1; then
    "$bin/make_sample" --out coco --train 4 --val 3 --test 3 >/dev/null && "$bin/coco_pack" --coco coco --out sample.h5 >/dev/null 2>&1 || fail "no sample"
    run python3 - <<'PYTHON'
import glob, json
rows = json.load(open(glob.glob('coco/**/coco_karpathy_val.json', recursive=True)[0]))
import os
json.dump(rows, open('coco_karpathy_val.json', 'w'))
open('val.jsonl', 'w').write(''.join(json.dumps({'file': 'somewhere/' + os.path.basename(row['image']), 'caption': 'a red circle'}) + '\n' for row in rows))
PYTHON
    exits 0
    score --references coco_karpathy_val.json --results val.jsonl --json
    exits 0
    tail -1 "$output" >of_json
    score --references sample.h5 --split val --results val.jsonl --json --per-image packed.csv
    exits 0; is "$(tail -1 "$output")" "$(cat of_json)" "scores with the packed file"
    head -2 packed.csv | tail -1 | grep -q "val2014/COCO_val2014_" || fail "packed.csv names no file: $(cat packed.csv)"
    score sample.h5 val.jsonl
    exits 64; says "sample.h5 holds several splits: choose with --split"
else
    skip_case "no make_sample, or no blip_mpi_cpu that starts"
fi

new_case "what is no text is named from its first bytes: a gigabyte costs no memory"
printf '\x89HDF\r\n\x1a\n' >hole.h5
truncate -s 1G hole.h5
run bash -c "ulimit -v 400000; '$bin/blip_mpi_score' references.json hole.h5"
exits 65; says "hole.h5 is not text but HDF5: a packed data set goes with --references"
gzip -c results.json >results.json.gz
score references.json results.json.gz
exits 65; says "results.json.gz is not text but compressed: unpack it by gunzip"
printf 'abcdefgh\0\0\0ijkl' >zeros.bin
score zeros.bin results.json
exits 65; says "zeros.bin is not text: there is a zero byte among the first 15 bytes"
python3 -c "open('utf16.json', 'w', encoding='utf-16').write('[]')"
score references.json utf16.json
exits 65; says "UTF-16"

new_case "rows that are no captions: file, line or row, what is wrong, what helps"
bad() { # FILE_TEXT MESSAGE [ENDING]
    printf '%s' "$1" >"bad.${3:-jsonl}"
    score references.json "bad.${3:-jsonl}"
    exits 65; says "bad.${3:-jsonl}: $2"
}
bad $'{"id": 42, "caption": "a"}\n{"id": 7, "caption"}\n' "line 2: malformed JSON at column"
bad $'{"id": 42, "caption": null}\n{"id": 7, "caption": "x"}\n' "line 1: 'caption' is null"
bad $'{"id": 42, "caption": 5}\n{"id": 7, "caption": "x"}\n' "line 1: a caption is not a text"
bad $'{"id": 42, "captions": ["a", "b"]}\n{"id": 7, "caption": "x"}\n' "line 1: has 2 captions: of results each image has one"
bad $'{"number": 42, "caption": "a"}\n{"id": 7, "caption": "x"}\n' "line 1: no column is known for the image; there are: caption, number; name it with --id-column"
bad $'[1]\n[2]\n' "line 2, column 1: malformed JSON"
bad $'id,words\n42,a dog\n' "line 2: no column is known for the caption; there are: id, words; name it with --caption-column" csv
bad $'id,caption\n42,a dog, running\n' "line 2: has 3 cells, the heading 2" csv
bad $'id,caption\n' "the whole file: holds no captions" csv
bad $'id,caption,Caption\n42,a dog,a cat\n' "line 2: has 2 captions: of results each image has one" csv
bad '' "line 1, column 1: malformed JSON" csv
bad $'id,caption\n42,a d\xf6g\n' "line 2" csv
bad '[{"image_id": [42], "caption": "x"}]' "row 0: 'image_id' is not a whole number or a text" json
bad '[{"image_id": "", "caption": "x"}]' "row 0: 'image_id' is empty" json
bad '[]' "the whole file: holds no captions" json
score references.json own.tsv --caption-column said
exits 65; says "own.tsv: line 2: no column is known for the image; there are: nr, said; name it with --id-column"
for option in id-column caption-column; do
    score references.json results.csv --$option absent
    exits 65; says "--$option absent: neither references nor results have such a column"
done
score references.json empty
exits 65; says "empty: the folder: holds no text ID.txt"
score empty results.json
exits 65; says "empty: the folder: holds no text ID.txt"
score references.json absent.csv
exits 66; says "no such file: absent.csv"
score references.csv results.json --split val
exits 64; says "references.csv does not tell splits apart"

new_case "--per-image in each form, as Python's csv and json read it; --output, with its folder; --worst"
for ending in json jsonl csv tsv; do
    score references.csv captioned.csv --per-image per.$ending --json
    exits 0
done
score references.csv captioned.csv --output new/deep/scores.json --worst 2 --metrics cider,rouge_l
exits 0; says "lowest CIDEr"; says "  7: a dog"; says "    Two cats sleep."
run python3 - <<'PYTHON'
import csv, json
rows = json.load(open('per.json'))
assert [row['image_id'] for row in rows] == [42, 7, 9] and rows[0]['caption'] == 'a red dog runs', rows
assert rows[0]['references'][1] == 'The dog is red, and "it" runs.' and rows[0]['reference_lengths'] == [4, 7], rows[0]
assert rows == [json.loads(line) for line in open('per.jsonl')]
for name, delimiter in (('per.csv', ','), ('per.tsv', '\t')):
    table = list(csv.DictReader(open(name, newline=''), delimiter=delimiter))
    for row, cells in zip(rows, table, strict=True):
        assert cells['references'] == ' | '.join(row['references']) and cells['caption'] == row['caption'], cells
        assert all(float(cells[m]) == row[m] for m in ('Bleu_1', 'Bleu_4', 'CIDEr', 'ROUGE_L')) and int(cells['length']) == row['length'], cells
metrics = json.load(open('new/deep/scores.json'))
assert list(metrics) == ['CIDEr', 'ROUGE-L'] and all(set(metric) == {'score', 'per_item'} for metric in metrics.values()), metrics
assert metrics['CIDEr']['per_item'] == {str(row['image_id']): row['CIDEr'] for row in rows}, metrics
assert abs(metrics['ROUGE-L']['score'] - sum(row['ROUGE_L'] for row in rows) / 3) < 1e-12, metrics
PYTHON
exits 0

new_case "what captions are like: lengths, words, endings"
echo '{"1": ["a cat sits on a mat"], "2": ["a dog"]}' >like_references.json
echo '{"1": "a cat sits on a", "2": "a fish with"}' >like.json
score like_references.json like.json --json
exits 0
tail -1 "$output" >like_scores.json
run python3 -c "
import json
c = json.load(open('like_scores.json'))['captions']
# words: a cat sits on fish with, of which the references lack two; 8 in all; pairs: 6, all different
assert c == {'mean_length': 4, 'vocabulary': 6, 'unseen_words': 2 / 6, 'distinct_1': 6 / 8, 'distinct_2': 1, 'bad_endings': 1}, c"
exits 0
score like_references.json like.json
exits 0; says "captions  4.0 words, 6 different ones (33.3 % in no reference), distinct-1 0.750, distinct-2 1.000, 100.0 % end badly"

new_case "SPICE of another program: its mean beside the scores, and named as such"
echo '{"42": 0.5, "7": 0.1, "9": 0.3}' >spice.json
echo '[{"image_id": 42, "scores": {"All": {"pr": 1, "re": 0.3, "f": 0.5}}}, {"image_id": 7, "scores": {"All": {"f": 0.1}}}, {"image_id": 9, "scores": {"All": {"f": 0.3}}}]' >spice_program.json
printf 'image_id,SPICE\n42,0.5\n7,0.1\n9,0.3\n' >spice.csv
for form in spice.json spice_program.json spice.csv; do
    score references.json results.json --spice $form
    exits 0; says "SPICE     0.3000"; says "SPICE     is of $form, not computed here"
done
score references.json results.json --spice spice.json --json
exits 0; says '"SPICE":0.3'; says '"SPICE_from":"spice.json"'
echo '{"42": 0.5}' >few.json
score references.json results.json --spice few.json
exits 65; says "--spice few.json lacks 2 of the 3 images that are scored: 7, 9"
echo '{"42": 50}' >few.json
score references.json results.json --spice few.json
exits 65; says "few.json: '42': has no 'SPICE' or 'scores' from 0 to 1"

new_case "CIDEr of few images: what it depends on"
score references.json results.json
exits 0; says "CIDEr depends on which images are scored together, and these are few (3)"
echo '{"9": "a bus"}' >alone.json
score references.json alone.json --allow-missing
exits 0; says "CIDEr     0.0000"; says "CIDEr of one image is 0: "
score references.json --write-cider-df df.json
score references.json alone.json --allow-missing --cider-df df.json
exits 0; says_not "CIDEr of one image"; says_not "CIDEr     0.0000"
python3 -c "
import json
json.dump({i: ['a dog %d' % i] for i in range(100)}, open('many.json', 'w'))
json.dump({i: 'a dog' for i in range(100)}, open('many_results.json', 'w'))"
score many.json many_results.json
exits 0; says_not "few"

new_case "signatures: the same for the same references in any form and order, another for another reference, metric, frequency"
signature() { score "$@"; sed -n 's/^signature //p' "$output"; }
of_references=$(signature references.json results.json)
is "$(signature references results.json)" "$of_references" "signature with a folder"
[ -n "$of_references" ] && [ "$(signature references.json results.json --metrics cider)" != "$of_references" ] || fail "metrics are not in it"
[ "$(signature references.json results.json --cider-df df.json)" != "$of_references" ] || fail "frequencies are not in it"
sed 's/asleep/awake/' references.json >other.json
[ "$(signature other.json results.json)" != "$of_references" ] || fail "the references are not in it"
is "${of_references%%|digest*}" "images:3|references:6" "counts"
summary
