#!/usr/bin/env bash
# test: sanitizers
# Captions, file names and words of a vocabulary that carry terminal controls: none reaches a terminal or a log as it is,
# and what programs read stays exact.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
esc=$'\x1b'
# acts FILE...: the file holds what a terminal would act on, or a byte that is no UTF-8
inert() {
    python3 - "$@" <<'PYTHON' || fail "terminal controls"
import pathlib, sys, unicodedata
for name in sys.argv[1:]:
    text = pathlib.Path(name).read_bytes().decode()
    bad = [c for c in text if (unicodedata.category(c) in ("Cc", "Zl", "Zp") or c in "\u202e\u2066") and c not in "\t\n"]
    assert not bad, (name, bad)
PYTHON
}
mkdir "$scratch/pictures"
"$bin/make_sample" --out "$scratch/coco" --train 1 --val 1 --test 1 >/dev/null || exit 70
picture=$(find "$scratch/coco" -name '*.jpg' | head -n 1)
odd="$scratch/pictures/${esc}]0;title"$'\a\n12:00:00 error: forged \xe2\x80\xae.jpg'
cp "$picture" "$odd"

new_case "caption: a vocabulary and file names with terminal controls"
run "$blip" export --from random --model tiny --to "$scratch/weights"
exits 0
[ -e "$scratch/weights/vocab.txt" ] || cp data_prep/bert-base-uncased-vocab.txt "$scratch/weights/vocab.txt"
sed -i "1000,\$s/\$/${esc}[31m/" "$scratch/weights/vocab.txt"
"$blip" caption --init "$scratch/weights" "$odd" >"$scratch/said" 2>"$scratch/errors" || fail "exit $?"
is "$(wc -l <"$scratch/said")" 1 "lines"
inert "$scratch/said" "$scratch/errors"
grep -qF 'forged \u202e.jpg: ' "$scratch/said" || fail "the name is not shown"
grep -qF '\u001b[31m' "$scratch/said" || fail "no word with a control: the case shows nothing"
bad="$scratch/${esc}[2Jbad.jpg"
echo "no picture" >"$bad"
"$blip" caption --json --init "$scratch/weights" "$odd" "$bad" >"$scratch/said" 2>"$scratch/errors"
inert "$scratch/said" "$scratch/errors"
run python3 - "$scratch/said" "$odd" "$bad" <<'PYTHON'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
assert [row["file"] for row in rows] == sys.argv[2:], rows
assert "\x1b[31m" in rows[0]["caption"] and "error" in rows[1], rows
PYTHON
exits 0

new_case "score: ids with terminal controls"
echo '[{"image_id": "\u001b[1A\r7", "caption": "a dog"}]' >"$scratch/results.json"
echo '{"\u009b31m7": ["a red dog"]}' >"$scratch/references.json"
run "$blip" score --references "$scratch/references.json" --results "$scratch/results.json"
exits 65; says '\u001b[1A\u000d7'; inert "$output"

new_case "coco_pack: a path with terminal controls is refused, a caption with them is packed as it is"
annotations=$scratch/coco/karpathy/coco_karpathy_val.json
cp "$annotations" "$scratch/whole.json"
sed -i -E 's#"val2014/#"val2014\\u001b[2J/#' "$annotations"
run "$bin/coco_pack" --coco "$scratch/coco" --out "$scratch/out.h5"
exits 65; says "has a control character"; says "$annotations"; inert "$output"
leaves_nothing_like "$scratch/out.h5*"
cp "$scratch/whole.json" "$annotations"
find "$scratch/coco" -name '*.json' -exec sed -i -E 's#("caption": ?\[?")#\1\\u001b[5m#g' {} +
run "$bin/coco_pack" --coco "$scratch/coco" --out "$scratch/out.h5"
exits 0; inert "$output"

new_case "training logs: a path with terminal controls, valid JSON in every line"
out="$scratch/run${esc}[31m"$'\xff'
mkdir "$out"
run mpirun -np 1 "$blip" train --model tiny --data "$scratch/out.h5" --output "$out" --global-batch 1 --micro-batch 1 --epochs 1 \
    --max-steps 1 --threads 1
exits 0; inert "$out/log.txt" "$out/log.jsonl"
python3 -c '
import json, sys
kinds = [json.loads(line)["kind"] for line in open(sys.argv[1], "rb")]
assert "step" in kinds and "run" in kinds, kinds' "$out/log.jsonl" || fail "log.jsonl is no JSON"
summary
