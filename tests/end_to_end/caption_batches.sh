#!/usr/bin/env bash
# The caption verb on many pictures: of any form, folders, a list on standard input, batches of any size, JSON lines, a
# signal in mid-work, output that cannot be written.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
eager_weights
mkdir "$scratch/photos" "$scratch/photos/more" "$scratch/photos/.cache"
mapfile -t drawn < <(find "$scratch/coco/val2014" -name '*.jpg' | sort | head -n 7)
for i in 0 1 2 3; do cp "${drawn[$i]}" "$scratch/photos/b$i.jpg"; done
cp "${drawn[4]}" "$scratch/photos/more/a photo"   # recognised by its content
cp "${drawn[5]}" "$scratch/photos/c.png"          # likewise: it is a JPEG
cp "${drawn[6]}" "$scratch/photos/.cache/hidden.jpg"
cp tests/golden/data/png/palette.png "$scratch/photos/a.png"
cp tests/golden/data/png/alpha_16_interlaced.png "$scratch/photos/z.jpg"
echo "a note" >"$scratch/photos/notes.txt"
ln -s . "$scratch/photos/loop"
in_order=("$scratch/photos/a.png" "$scratch/photos/b"{0,1,2,3}.jpg "$scratch/photos/c.png" "$scratch/photos/more/a photo" "$scratch/photos/z.jpg")
captioned() { is "$(sed 's/: .*//' "$scratch/said" | tr '\n' '|')" "$(printf '%s|' "$@")" "pictures captioned"; }

new_case "pictures recognised by their content; a folder: all below it, sorted, other files counted"
caption "$scratch/photos"
exits 0
captioned "${in_order[@]}"
said_once "$scratch/photos: 8 pictures; 1 other file is left out: notes.txt"
cp "$scratch/said" "$scratch/all"

new_case "any batch size, one thread or many, in a folder or by name: the same captions in the order given"
for batch in 1 3 8 100; do
    caption --eval-batch $batch --loader-threads 3 --prefetch 1 "${in_order[@]}"
    exits 0
    same_file "$scratch/said" "$scratch/all" "captions in batches of $batch"
    is "$(wc -c <"$scratch/errors")" 0 "characters on stderr"
done
caption --eval-batch 3 "$scratch/photos/z.jpg" "$scratch/photos/a.png"
exits 0
captioned "$scratch/photos/z.jpg" "$scratch/photos/a.png"
same_file <(sort "$scratch/said") <(grep -F -e /a.png: -e /z.jpg: "$scratch/all") "captions in another order"

new_case "a list on standard input: names and folders, blank lines, line ends of any kind"
printf '%s\r\n\n%s\n%s' "$scratch/photos/z.jpg" "$scratch/photos/more" "$scratch/photos/b0.jpg" >"$scratch/list"
status=0
"$blip" caption --init "$best" "$scratch/photos/a.png" - "$scratch/photos/b1.jpg" <"$scratch/list" >"$scratch/said" 2>"$scratch/errors" || status=$?
cat "$scratch/said" "$scratch/errors" >"$output"
exits 0
captioned "$scratch/photos/a.png" "$scratch/photos/z.jpg" "$scratch/photos/more/a photo" "$scratch/photos/b0.jpg" "$scratch/photos/b1.jpg"
same_file <(sort -u "$scratch/said") <(grep -vE '/(b2|b3|c)\.' "$scratch/all") "captions"
caption - </dev/null
exits 66; said_once "standard input lists no pictures"
caption - - </dev/null
exits 64; said_once "'-' is given twice"
mkdir "$scratch/none"
caption "$scratch/none"
exits 66; said_once "there is no picture in what was given"

new_case "--json: an object a line, in any batches the same captions and, within rounding, log-probabilities"
caption --json --eval-batch 1 "$scratch/photos"
exits 0
cp "$scratch/said" "$scratch/single.json"
caption --json --eval-batch 5 "$scratch/photos"
exits 0
run python3 - "$scratch/all" "$scratch/single.json" "$scratch/said" "$(tolerance log_probability)" <<'PYTHON'
import json, sys
plain = open(sys.argv[1]).read().splitlines()
single, batched = ([json.loads(line) for line in open(name)] for name in sys.argv[2:4])
assert len(plain) == len(single) == len(batched) == 8
assert len({round(row['log_probability'], 3) for row in single}) == 8, single    # so that a wrong order shows
assert len({row['caption'] for row in single}) > 2, single
for line, a, b in zip(plain, single, batched):
    assert list(a) == ['file', 'caption', 'log_probability'], a
    assert line == f"{a['file']}: {a['caption']}", (line, a)
    assert (a['file'], a['caption']) == (b['file'], b['caption'])
    assert a['log_probability'] < 0 and abs(a['log_probability'] - b['log_probability']) <= float(sys.argv[4]), (a, b)
PYTHON
exits 0

new_case "broken pictures between others: in their place as objects with --json, on stderr by name, 65; the rest is captioned"
head -c 700 "$scratch/photos/b1.jpg" >"$scratch/half.jpg"
head -c 500 tests/golden/data/png/colour.png >"$scratch/half.png"
odd=$scratch/$'odd \xff "name".jpg'
cp "$scratch/photos/b3.jpg" "$odd"
caption --json --eval-batch 2 "$scratch/half.jpg" "$scratch/photos/b0.jpg" "$scratch/half.png" "$scratch/photos/b1.jpg" "$odd"
exits 65
is "$(grep -c 'half.*fetch the file again' "$scratch/errors")" 2 "messages on stderr"
run python3 - "$scratch/said" <<'PYTHON'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1], encoding='utf-8')]
assert [sorted(row) for row in rows] == [['error', 'file'], ['caption', 'file', 'log_probability']] * 2 + [['caption', 'file', 'log_probability']], rows
assert [row['file'].rsplit('/')[-1] for row in rows] == ['half.jpg', 'b0.jpg', 'half.png', 'b1.jpg', 'odd \ufffd "name".jpg'], rows
assert 'half.jpg' in rows[0]['error'] and 'not a readable PNG' in rows[2]['error'], rows
PYTHON
exits 0

new_case "a folder of scraped pictures: each is captioned or named, by its content or its name, has an object with --json, and counts"
mkdir "$scratch/scraped"
for form in webp gif bmp tiff; do cp "tests/golden/data/pictures/RGB_3.$form" "$scratch/scraped/a.$form" 2>/dev/null || cp "tests/golden/data/pictures/lossy_3.$form" "$scratch/scraped/a.$form"; done
cp tests/golden/data/pictures/lossless_3.webp "$scratch/scraped/webp.jpg"
cp tests/golden/data/pictures/P_3.gif "$scratch/scraped/no ending"
: >"$scratch/scraped/empty.jpg"
head -c 300 /dev/zero >"$scratch/scraped/zeros.JPEG"
echo "<html>404</html>" >"$scratch/scraped/page.png"
printf '\0\0\0\x18ftypheic' >"$scratch/scraped/phone.HEIC"
ln -s nowhere.jpg "$scratch/scraped/a_link.jpg"
mkfifo "$scratch/scraped/pipe.jpg"
echo "a note" >"$scratch/scraped/notes.txt"
echo "BMW, a car" >"$scratch/scraped/cars"
caption --json "$scratch/scraped"
exits 65
said_once "$scratch/scraped: 12 pictures; 2 other files are left out: cars, notes.txt"
run python3 - "$scratch/said" "$scratch/errors" <<'PYTHON'
import json, pathlib, sys
rows = {pathlib.Path(row["file"]).name: row for row in map(json.loads, open(sys.argv[1]))}
errors = open(sys.argv[2]).read()
good = {"a.webp", "a.gif", "a.bmp", "a.tiff", "webp.jpg", "no ending"}
bad = {"empty.jpg", "zeros.JPEG", "page.png", "phone.HEIC", "a_link.jpg", "pipe.jpg"}
assert set(rows) == good | bad, rows
assert {name for name, row in rows.items() if "caption" in row} == good, rows
for name in bad: assert errors.count(f"/{name}") == 1, (name, errors)
PYTHON
exits 0

new_case "photos are turned as their EXIF data say, or taken as they are stored"
turns=("tests/golden/data/pictures/jpg_"{1,6,8}.jpg)
for way in on off; do
    caption --json --exif-orientation $way "${turns[@]}"
    exits 0
    cp "$scratch/said" "$scratch/$way.json"
done
caption --json "${turns[@]}"
exits 0
same_file "$scratch/said" "$scratch/on.json" "captions without the option"
run python3 - "$scratch/on.json" "$scratch/off.json" <<'PYTHON'
import json, sys
on, off = ([json.loads(line)["log_probability"] for line in open(name)] for name in sys.argv[1:])
assert off[0] == off[1] == off[2] == on[0], (on, off)    # the same pixels, stored
assert len({round(value, 4) for value in on}) == 3, on
PYTHON
exits 0

new_case "pictures of which none exists: 66 before weights are read, at most twenty by name"
caption "$scratch/gone"{1..25}.jpg
exits 66; says "no such picture: $scratch/gone1.jpg"; says "$scratch/gone21.jpg"; says_not "$scratch/gone22.jpg"; says "and 4 more"
is "$(wc -c <"$scratch/said")" 0 "characters on stdout"

new_case "lines appear as each batch is finished"
if strace -qq -o "$scratch/calls" true 2>/dev/null; then
    strace -f -qq -e trace=write -o "$scratch/calls" "$blip" caption --init "$best" --threads 1 --eval-batch 3 "${in_order[@]}" >"$scratch/said" 2>/dev/null
    is "$(grep -c 'write(1,' "$scratch/calls")" 3 "writes of 8 captions in batches of 3"
    same_file "$scratch/said" "$scratch/all" "captions"
else
    skip_case "strace may not trace here"
fi

new_case "a signal in mid-work: the batch is finished and printed, 85; a signal while the list is awaited: 85"
for ((i = 0; i < 400; ++i)); do printf '%s\n' "${in_order[@]}"; done >"$scratch/list"
: >"$scratch/said"
"$blip" caption --init "$best" --threads 1 --eval-batch 2 - <"$scratch/list" >"$scratch/said" 2>"$output" &
job=$!
wait_for 60 test -s "$scratch/said"
kill -INT "$job"
finish_job 30
exits 85; says "stopped by a signal: "
lines=$(wc -l <"$scratch/said")
[ "$lines" -gt 0 ] && [ "$lines" -lt 3200 ] && [ $((lines % 2)) = 0 ] || fail "$lines lines"
says "stopped by a signal: $lines of 3200 pictures were captioned"
same_file "$scratch/said" <(for ((i = 0; i < 400; ++i)); do cat "$scratch/all"; done | head -n "$lines") "the captions until then"
mkfifo "$scratch/awaited"
sleep 60 >"$scratch/awaited" &
writer=$!
"$blip" caption --init "$best" - <"$scratch/awaited" >"$output" 2>&1 &
job=$!
wait_for 30 grep -q '^State:.*S' "/proc/$job/status"
sleep 1
kill -INT "$job"
finish_job 10
exits 85
kill "$writer"

new_case "standard output that is full: 74"
status=0
"$blip" caption --init "$best" "$scratch/photos" >/dev/full 2>"$output" || status=$?
exits 74; says "cannot write captions to standard output"
summary
