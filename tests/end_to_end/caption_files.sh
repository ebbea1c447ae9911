#!/usr/bin/env bash
# caption --write: a text beside each picture, a CSV, JSON lines; what is there already; runs that were stopped; several
# ranks; and pack, which takes what came out. Tables are read by Python's csv and json.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
eager_weights
photos=$scratch/photos
mkdir -p "$photos/more"
mapfile -t drawn < <(find "$scratch/coco/val2014" -name '*.jpg' | sort | head -n 6)
for i in 0 1 2 3; do cp "${drawn[$i]}" "$photos/p$i.jpg"; done
cp "${drawn[4]}" "$photos/more/a, \"b\".jpg"
cp "${drawn[5]}" "$photos/more/p0.jpg"
caption --json "$photos"
exits 0
cp "$scratch/said" "$scratch/all.jsonl"
# Of the captions that were printed: "NAME<TAB>CAPTION" a line, sorted; what files hold must be the same.
printed() { python3 -c 'import json, sys
for row in map(json.loads, open(sys.argv[1])): print(row["file"], row["caption"], sep="\t")' "$scratch/all.jsonl"; }
texts_below() { # FOLDER: the same of the .txt files there, as if beside the pictures
    python3 - "$1" "$photos" <<'PYTHON'
import pathlib, sys
for text in sorted(pathlib.Path(sys.argv[1]).rglob("*.txt"), key=lambda text: str(text.with_suffix(".jpg"))):
    for line in text.read_text().splitlines():
        print(pathlib.Path(sys.argv[2], text.relative_to(sys.argv[1])).with_suffix(".jpg"), line, sep="\t")
PYTHON
}
csv_rows() { # FILE
    python3 -c 'import csv, sys
rows = list(csv.reader(open(sys.argv[1], newline="")))
assert rows[0] == ["file", "caption", "log_probability"], rows[0]
for file, caption, value in rows[1:]:
    assert float(value) < 0
    print(file, caption, sep="\t")' "$1"
}
printed >"$scratch/all.tsv"
is "$(wc -l <"$scratch/all.tsv")" 6 "pictures"

new_case "--write txt: a text beside each picture; nothing is printed"
caption --write txt "$photos"
exits 0; says "6 of 6 pictures have their captions beside them"
is "$(wc -c <"$scratch/said")" 0 "characters on stdout"
same_file <(texts_below "$photos") "$scratch/all.tsv" "captions"

new_case "texts that are there: nothing is overwritten without a word"
echo "my own" >"$photos/p1.txt"
rm "$photos/p2.txt"
: >"$photos/p3.txt"
caption --write txt "$photos"
exits 64; says "4 of 6 pictures have a text beside them already"; says "--skip-existing"; says "--overwrite"
[ ! -e "$photos/p2.txt" ] || fail "p2.txt was written"
caption --write txt --skip-existing "$photos"
exits 0; says "2 of 2 pictures have their captions"
is "$(cat "$photos/p1.txt")" "my own" "the text of one's own"
same_file <(texts_below "$photos" | grep -v /p1) <(grep -v /p1 "$scratch/all.tsv") "captions"
caption --write txt --skip-existing "$photos"
exits 0; says "no picture is left to caption"
caption --write txt --overwrite "$photos"
exits 0
same_file <(texts_below "$photos") "$scratch/all.tsv" "captions"

new_case "--output DIR: a folder of the same names; --prefix and --suffix"
caption --write txt --output "$scratch/texts/en" --prefix "sks, " --suffix " ." "$photos"
exits 0; says "in $scratch/texts/en"
same_file <(texts_below "$scratch/texts/en") <(sed 's/\t\(.*\)/\tsks, \1 ./' "$scratch/all.tsv") "captions"

new_case "two pictures that would have one text are refused before any is captioned"
cp "$photos/p0.jpg" "$scratch/p0.png"
cp "$photos/p0.jpg" "$scratch/p0.jpg"
caption --write txt "$scratch/p0.png" "$scratch/p0.jpg"
exits 64; says "$scratch/p0.png and $scratch/p0.jpg would both have $scratch/p0.txt"
caption --write txt "$scratch/p0.png" "$scratch/p0.png"
exits 0
is "$(cat "$scratch/p0.txt")" "$(grep "$photos/p0" "$scratch/all.tsv" | cut -f 2)" "the caption of a picture given twice"
rm "$scratch/p0".*

new_case "--write csv and jsonl: the printed captions in order; the file may stand behind the word"
caption --write csv --output "$scratch/tables/c.csv" "$photos"
exits 0; says "6 of 6 pictures have their captions in $scratch/tables/c.csv"
same_file <(csv_rows "$scratch/tables/c.csv") "$scratch/all.tsv" "rows of the CSV"
caption --write jsonl "$scratch/c.jsonl" "$photos"
exits 0
same_file "$scratch/c.jsonl" "$scratch/all.jsonl" "JSON lines"
"$bin/coco_pack" "$scratch/tables/c.csv" --images "$photos" --out "$scratch/c.h5" >"$output" 2>&1 || fail "pack does not take the CSV"
says "packed 6 images"

new_case "several captions of a picture: a line each in a text, a row each in a table"
caption --num-captions 2 --json "$photos"
cp "$scratch/said" "$scratch/two.jsonl"
caption --num-captions 2 --write jsonl "$scratch/two_written.jsonl" "$photos"
exits 0
same_file "$scratch/two_written.jsonl" "$scratch/two.jsonl" "JSON lines"
caption --num-captions 2 --write txt --output "$scratch/two" "$photos"
exits 0
is "$(texts_below "$scratch/two" | cut -f 2)" "$(sed 's/.*"caption":"\([^"]*\)".*/\1/' "$scratch/two.jsonl")" "lines"

new_case "a table is completed: what is there stays as it is, a torn line goes, other pictures come behind"
for form in csv jsonl; do
    caption --write $form "$scratch/part.$form" "$photos/p1.jpg" "$photos/more"
    exits 0
    sed -i 's/\(p1.jpg"*,"*[a-z]*"*:*"*\)/\1marked /' "$scratch/part.$form"
    printf '%s' "\"$photos/p2.jpg\",\"torn" >>"$scratch/part.$form"
    caption --write $form "$scratch/part.$form" "$photos"
    exits 0; says "3 of 6 pictures have their captions there, which stay"; says "3 of 3 pictures"
    is "$(grep -c '\.jpg' "$scratch/part.$form")" 6 "rows of the $form"
    is "$(grep -c marked "$scratch/part.$form")" 1 "captions that stayed"
    is "$(grep -c torn "$scratch/part.$form")" 0 "torn lines"
    caption --write $form "$scratch/part.$form" --overwrite "$photos"
    exits 0
    is "$(grep -c marked "$scratch/part.$form")" 0 "captions that stayed"
done
same_file <(csv_rows "$scratch/part.csv") "$scratch/all.tsv" "rows of the CSV"

new_case "a table of something else is refused, and stays"
echo "image,caption" >"$scratch/mine.csv"
caption --write csv "$scratch/mine.csv" "$photos"
exits 65; says "mine.csv: line 1 is none that --write csv wrote"
is "$(cat "$scratch/mine.csv")" "image,caption" "the file"
echo '{"image": "a"}' >"$scratch/mine.jsonl"
caption --write jsonl "$scratch/mine.jsonl" "$photos"
exits 65; says "mine.jsonl: line 1 is none that --write jsonl wrote"

new_case "unreadable pictures: named, in JSON lines with the error, tried again by the next run"
head -c 600 "$photos/p2.jpg" >"$scratch/half.jpg"
caption --write jsonl "$scratch/bad.jsonl" "$photos/p1.jpg" "$scratch/half.jpg" "$scratch/gone.jpg" "$photos/p2.jpg"
exits 66; says "2 of 4 pictures have their captions"
is "$(grep -c '"error"' "$scratch/bad.jsonl")" 2 "rows with an error"
cp "$photos/p3.jpg" "$scratch/half.jpg"
cp "$photos/p3.jpg" "$scratch/gone.jpg"
caption --write jsonl "$scratch/bad.jsonl" "$photos/p1.jpg" "$scratch/half.jpg" "$scratch/gone.jpg" "$photos/p2.jpg"
exits 0; says "2 of 4 pictures have their captions there"
is "$(grep -c '"caption"' "$scratch/bad.jsonl") $(grep -c '"error"' "$scratch/bad.jsonl")" "4 0" "rows"

new_case "what contradicts or does nothing is refused"
refused() { # WORDS ARGUMENT...
    caption "${@:2}" "$photos"
    exits 64; says "$1"
}
refused "--write csv needs --output FILE.csv" --write csv
refused "--prefix goes with --write" --prefix x
refused "--overwrite goes with --write" --overwrite
refused "--write jsonl has the same lines" --json --write txt
refused "contradict each other" --write txt --skip-existing --overwrite
refused "a table is completed anyway" --write csv --output "$scratch/x.csv" --skip-existing
refused "txt" --write xml

new_case "two and three ranks deal the pictures: the same captions, each once, in order; texts and tables likewise"
for ranks in 2 3; do
    launcher=(mpirun -np "$ranks")
    for batch in 1 2; do
        caption --json --eval-batch $batch "$photos"
        exits 0
        same_file <(sed 's/,"log.*//' "$scratch/said") <(sed 's/,"log.*//' "$scratch/all.jsonl") "captions of $ranks ranks"
    done
    caption --eval-batch 1 --write csv "$scratch/r$ranks.csv" "$photos"
    exits 0
    same_file <(csv_rows "$scratch/r$ranks.csv") "$scratch/all.tsv" "rows of $ranks ranks"
done
caption --eval-batch 1 --write txt --output "$scratch/by_ranks" "$photos"
exits 0
same_file <(texts_below "$scratch/by_ranks") "$scratch/all.tsv" "texts of 3 ranks"
find "$photos" -name '*.jpg' | sort >"$scratch/list"
status=0
mpirun -np 2 "$blip" caption --init "$best" --threads 1 --eval-batch 1 - <"$scratch/list" >"$scratch/said" 2>"$output" || status=$?
exits 0
is "$(wc -l <"$scratch/said")" 6 "captions of a list on standard input"
caption --eval-batch 1 "$photos/p0.jpg" "$scratch/nothing.jpg" "$photos/p1.jpg"
exits 66; said_once "no such picture: $scratch/nothing.jpg"
is "$(wc -l <"$scratch/said")" 2 "captions beside a missing picture"
caption "$scratch/nothing.jpg"
exits 66; said_once "no such picture: $scratch/nothing.jpg"
caption --write csv "$photos"
exits 64; said_once "--write csv needs --output"

new_case "stopped and started again: each picture once, as in an undisturbed run, on one rank and two"
mkdir "$scratch/many"
for ((i = 0; i < 150; ++i)); do cp "${drawn[$((i % 6))]}" "$scratch/many/$(printf %03d $i).jpg"; done
for ranks in 1 2; do
    launcher=()
    [ $ranks = 1 ] || launcher=(mpirun -np "$ranks")
    start "${launcher[@]}" "$blip" caption --init "$best" --threads 1 --eval-batch 2 --write csv "$scratch/many$ranks.csv" "$scratch/many"
    wait_for 60 grep -q "/many/" "$scratch/many$ranks.csv"
    if [ $ranks = 1 ]; then kill -INT "$job"; else kill -USR1 "$job"; fi # at INT, mpirun ends its ranks itself
    finish_job 30
    exits 85; says "stopped by a signal: "; says "the same command does the others"
    rows=$(($(wc -l <"$scratch/many$ranks.csv") - 1))
    [ $rows -gt 0 ] && [ $rows -lt 150 ] || fail "$rows rows when it stopped"
    caption --write csv "$scratch/many$ranks.csv" "$scratch/many"
    exits 0; says "$rows of 150 pictures have their captions there"
    is "$(csv_rows "$scratch/many$ranks.csv" | cut -f 1)" "$(find "$scratch/many" -name '*.jpg' | sort)" "pictures in order"
done
same_file <(csv_rows "$scratch/many1.csv") <(csv_rows "$scratch/many2.csv") "rows of one rank and of two"

new_case "killed at once, also on one of two ranks: whole lines stay and are not made again"
launcher=()
rm -f "$scratch/many1.csv"
start "$blip" caption --init "$best" --threads 1 --eval-batch 2 --write csv "$scratch/many1.csv" "$scratch/many"
wait_for 60 grep -q "/many/" "$scratch/many1.csv"
kill -KILL "$job"
finish_job 30
caption --write csv "$scratch/many1.csv" "$scratch/many"
exits 0
same_file <(csv_rows "$scratch/many1.csv") <(csv_rows "$scratch/many2.csv") "rows"

new_case "a disk that is full: told, and what was whole stays"
status=0
(ulimit -f 8; "$blip" caption --init "$best" --threads 1 --eval-batch 2 --write csv "$scratch/full.csv" "$scratch/many") >"$output" 2>&1 || status=$?
exits 74; says "cannot write captions to $scratch/full.csv"
is "$(tail -c 1 "$scratch/full.csv" | od -An -c | tr -d ' ')" '\n' "the end of the file"
caption --write csv "$scratch/full.csv" "$scratch/many"
exits 0
same_file <(csv_rows "$scratch/full.csv") <(csv_rows "$scratch/many2.csv") "rows"
summary
