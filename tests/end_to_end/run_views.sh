#!/usr/bin/env bash
# test: quick
# What other tools read of a run: TensorBoard's files, results.csv, Prometheus' text; after a kill and a resumption, and when they
# cannot be written.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
draw_sample 24
out=$scratch/out

# look CODE: Python with `tags` (see event_files.py), `log` (records of log.jsonl), `rows` of results.csv; it fails by assertion
look() {
    PYTHONPATH=$(dirname "$0")/../support python3 - "$out" <<END || fail "not so: $1"
import csv, json, pathlib, re, struct, sys
import event_files
out = pathlib.Path(sys.argv[1])
tags = event_files.read(out / "tensorboard")
log = [json.loads(line) for line in open(out / "log.jsonl", encoding="utf-8")]
steps = {record["step"]: record for record in log if record["kind"] == "step"}
evaluations = {record["epoch"]: record for record in log if record["kind"] == "evaluation"}
rows = list(csv.DictReader(open(out / "results.csv", encoding="utf-8")))
single = lambda number: struct.unpack("f", struct.pack("f", number))[0]
$1
END
}
same_as_log='
for tag, name in {"train/loss": "loss", "train/lr": "lr", "train/gradient_norm": "gradient_norm", "time_ms/step": "step_ms"}.items():
    assert tags[tag] == {step: single(record[name]) for step, record in steps.items()}, tag
assert [int(row["epoch"]) for row in rows] == sorted(evaluations), rows
for epoch, record in evaluations.items():
    for split, found in record["splits"].items():
        for name, value in found["scores"].items():
            assert tags[f"{split}/{name}"][record["step"]] == single(value), (split, name)
            assert abs(float(rows[epoch][f"{split}/{name}"]) - value) < 1e-5, (split, name)
    assert tags["val/loss"][record["step"]] == single(record["splits"]["val"]["loss"])
    assert int(rows[epoch]["step"]) == record["step"]
'

new_case "curves, scores, pictures, captions and options as the log and the results have them"
train 2 "$out" --epochs 2 --metrics-file "$scratch/run.prom"
exits 0
look "$same_as_log"
look '
shown = json.load(open(out / "result/val_epoch1.json"))
last = evaluations[1]["step"]
text = tags["val/captions"][last].decode()
for row in shown[:6]:
    height, width, jpeg = tags["val/%s" % row["image_id"]][last]
    assert jpeg.startswith(b"\xff\xd8") and jpeg.endswith(b"\xff\xd9") and 0 < min(height, width) and max(height, width) <= 224
    assert row["caption"] in text, (row, text)
options = tags["_hparams_/session_start_info"][0]
assert options[1] == b"hparams" and b"init-lr" in options[2], options
'

new_case "Prometheus' text: each line parses, and says what the log says last"
python3 - "$scratch/run.prom" "$out" <<'END' || fail "$(cat "$scratch/run.prom")"
import json, re, sys
values, kinds = {}, {}
for line in open(sys.argv[1]).read().splitlines():
    if line.startswith('# '):
        _, kind, name, rest = line.split(' ', 3)
        kinds.setdefault(name, []).append((kind, rest))
        continue
    name, labels, value = re.fullmatch(r'([a-z_]+)\{((?:[a-z]+="(?:[^"\\]|\\.)*",?)+)\} (\S+)', line).groups()
    values[name, labels] = float(value)
    assert kinds[name][-1] == ('TYPE', 'gauge')
log = [json.loads(line) for line in open(sys.argv[2] + '/log.jsonl')]
last = [record for record in log if record['kind'] == 'step'][-1]
run = f'run="{sys.argv[2]}"'
assert values['blip_mpi_step', run] == last['step'] == values['blip_mpi_last_step', run] == values['blip_mpi_checkpoint_step', run]
assert abs(values['blip_mpi_loss', run] - last['loss']) < 1e-8
assert values['blip_mpi_running', run] == values['blip_mpi_eta_seconds', run] == 0 and values['blip_mpi_finished', run] == 1
assert 0 < values['blip_mpi_score', run + ',split="val",metric="Bleu_1"'] < 1
assert 0 <= values['blip_mpi_checkpoint_age_seconds', run] < 3600
END

new_case "killed and resumed: one curve, each step once"
out=$scratch/killed
start_train 1 "$out" --epochs 2 --checkpoint-every 4
wait_for 60 step_logged "$out" 14
# shellcheck disable=SC2046
kill -9 $(ranks_of "$job") "$job" 2>/dev/null
wait "$job" 2>/dev/null
train 1 "$out" --epochs 2 --checkpoint-every 4
exits 0
look "$same_as_log"

new_case "--no-tensorboard: no folder; a file of metrics that cannot be written ends the run before it begins"
train 1 "$scratch/without" --epochs 1 --max-steps 2 --no-tensorboard --no-report
exits 0
[ ! -e "$scratch/without/tensorboard" ] || fail "there is a folder"
train 1 "$scratch/nowhere" --max-steps 2 --metrics-file "$scratch/not/there.prom"
exits 74; says "not/there.prom"

new_case "where event files cannot be written the run goes on and says so"
mkdir -p "$scratch/blocked"
echo file >"$scratch/blocked/tensorboard"
train 1 "$scratch/blocked" --epochs 1 --max-steps 2
exits 0; says "tensorboard is no longer written"
summary
