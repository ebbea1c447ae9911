#!/usr/bin/env bash
# test: quick
# blip_mpi report and status: what a page holds beside what the run wrote, after a kill and a resumption, with hostile
# captions, and in a browser; what status says while a run goes on and after it.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
draw_sample 24
out=$scratch/out page=$scratch/page.html

# look CODE: Python with `page` (what the page draws) and `log` (the records of log.jsonl); it fails by assertion
look() {
    python3 - "$page" "$out" <<END || fail "not so: $1"
import json, re, sys

text = open(sys.argv[1], encoding="utf-8").read()
page = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1])
log = [json.loads(line) for line in open(sys.argv[2] + "/log.jsonl", encoding="utf-8")]
run = page["runs"][0]
$1
END
}

new_case "a run makes its page after each evaluation; the page has what the log has"
train 2 "$out" --epochs 2 --checkpoint-every 5
exits 0
page=$out/report.html
look '
steps = [record for record in log if record["kind"] == "step"]
assert len(steps) == 20 and run["curves"]["step"] == [record["step"] for record in steps]
for name in "loss", "lr", "gradient_norm":
    assert run["curves"][name] == [record[name] for record in steps], name
assert [one["splits"] for one in run["evaluations"]] == [record["splits"] for record in log if record["kind"] == "evaluation"]
assert run["state"] == "finished" and run["build"]["version"] and run["build"]["compiler"]
assert [one["why"] for one in page["pictures"]].count("best") == 4
'
look '
results = {(epoch, row["image_id"]): row for epoch in (0, 1)
           for row in json.load(open(f"{sys.argv[2]}/result/val_epoch{epoch}.json"))}
for picture in page["pictures"]:
    assert picture["split"] == "val" and len(picture["references"]) == 5 and picture["src"].startswith("data:image/jpeg;base64,/9j/")
    assert [one["epoch"] for one in picture["captions"]] == [0, 1]
    for one in picture["captions"]:
        row = results[one["epoch"], int(picture["key"])]
        assert (one["text"], one["log_probability"]) == (row["caption"], row["log_probability"])
cider = {picture["key"]: picture["captions"][1]["cider"] for picture in page["pictures"]}
mean = [record for record in log if record["kind"] == "evaluation"][1]["splits"]["val"]["scores"]["CIDEr"]
assert len(cider) == 6 and abs(sum(cider.values()) / 6 - mean) < 1e-9, (cider, mean)   # all of the split are shown
'
look 'assert not re.search(r"(https?:)?//[a-z]+\.[a-z]", text.replace("http://www.w3.org/2000/svg", "")), "it asks the network"'

new_case "status: finished, its step, checkpoint and scores"
run "$blip" status "$out"
exits 0
says "state        finished"; says "step         20 of 20, 100 %, epoch 2"; says "checkpoint   after step 20"; says "epoch 2 val:"
train 2 "$out" --epochs 2 --checkpoint-every 5 --max-steps 5
exits 0; says "nothing left to do"
run "$blip" status "$out"
exits 0; says "step         20, epoch 2"    # of 5 would be 400 %

new_case "status --watch: a signal ends it at once"
for signal in INT:130 TERM:143 HUP:129; do
    start env --default-signal="${signal%:*}" "$blip" status "$out" --watch
    wait_for 20 grep -q "^step" "$output"
    kill "-${signal%:*}" "$job"
    finish_job 5
    exits "${signal#*:}"
done

new_case "--no-report: no page"
train 1 "$scratch/without" --epochs 1 --max-steps 2 --no-report
exits 0
[ ! -e "$scratch/without/report.html" ] || fail "there is a page"

new_case "killed and resumed: each step once, the resumption marked; status tells running and killed"
out=$scratch/killed page=$scratch/killed.html
start_train 1 "$out" --epochs 40 --checkpoint-every 4
wait_for 60 step_logged "$out" 14
"$blip" status "$out" >"$scratch/status" 2>&1 || fail "status failed"
grep -q '^state        running: process ' "$scratch/status" || fail "$(cat "$scratch/status")"
# shellcheck disable=SC2046
kill -9 $(ranks_of "$job") "$job" 2>/dev/null
wait "$job" 2>/dev/null
run "$blip" status "$out"
says "state        killed: process "
train 1 "$out" --epochs 40 --checkpoint-every 4 --max-steps 30
exits 0
run "$blip" report "$out" --out "$page"
exits 0
look '
assert run["curves"]["step"] == list(range(1, 31)), run["curves"]["step"]
assert len(run["starts"]) == 2 and run["starts"][1]["step"] % 4 == 0
last = {record["step"]: record["loss"] for record in log if record["kind"] == "step"}
assert run["curves"]["loss"] == [last[step] for step in range(1, 31)]
'

new_case "two runs: both in one page, with the options that differ"
page=$scratch/two.html
run "$blip" report "$scratch/out" "$out" --out "$page"
exits 0
look '
assert [one["name"] for one in page["runs"]] == ["out", "killed"]
assert {one["run"] for one in page["pictures"][0]["captions"]} == {0, 1}
assert page["runs"][0]["identity"]["epochs"] == "2" and page["runs"][1]["identity"]["epochs"] == "40"
'

new_case "their best epochs have the intervals that score gives the same captions"
for run in out killed; do
    epoch=$(python3 -c 'import json, sys; print(max((r["selection"]["score"], -r["epoch"]) for r in map(json.loads, open(sys.argv[1] + "/log.jsonl")) if r["kind"] == "evaluation")[1] * -1)' "$scratch/$run")
    for split in val test; do
        "$bin/blip_mpi" score "$data" "$scratch/$run/result/${split}_epoch$epoch.json" --split $split --intervals --json >"$scratch/$run.$split.$epoch"
    done
done
look '
import glob
found = 0
for run in page["runs"]:
    for name in glob.glob(sys.argv[2] + "/../" + run["name"] + ".*.*"):
        _, split, epoch = name.rsplit(".", 2)
        scored = json.load(open(name))
        kept, = (one for one in run["evaluations"] if one["epoch"] == int(epoch))
        others = [one for one in run["evaluations"] if one is not kept]
        assert kept["splits"][split]["intervals"] == scored["intervals"], (kept["splits"][split], scored)
        assert all(low <= kept["splits"][split]["scores"][metric] <= high for metric, (low, high) in scored["intervals"].items())
        assert others and not any("intervals" in one["splits"][split] for one in others)
        found += 1
assert found == 4 and page["without_intervals"] == [], (found, page["without_intervals"])
'
new_case "without their data they have none, and the page and a warning say why; --data names them"
mv "$data" "$scratch/elsewhere.h5"
run "$blip" report "$scratch/out" "$out" --out "$page"
exits 0; says "warning: $scratch/out: no intervals: its data, $data, are not there: --data names them"
look 'assert len(page["without_intervals"]) == 2 and not any("intervals" in split for run in page["runs"] for one in run["evaluations"] for split in one["splits"].values())'
run "$blip" report "$scratch/out" "$out" --out "$page" --data "$scratch/elsewhere.h5"
exits 0; says_not "no intervals"
look 'assert page["without_intervals"] == [] and page["runs"][1]["path"] == sys.argv[2]'
"$bin/make_sample" --out "$scratch/coco2" --train 4 --val 6 --test 5 --seed 9 >/dev/null && "$bin/coco_pack" --coco "$scratch/coco2" --out "$data" >/dev/null 2>&1
run "$blip" report "$scratch/out" "$out" --out "$page"
exits 0; says "no intervals: $data holds other data now than it was trained on"
mv "$scratch/elsewhere.h5" "$data"
new_case "captions that were changed have none: their scores are others"
for file in "$out"/result/val_epoch*.json; do sed -i '0,/"caption": "[^"]*"/s//"caption": "a dog"/' "$file"; done
run "$blip" report "$scratch/out" "$out" --out "$page"
exits 0; says "$out, val: no intervals: "; says "by the data set's references, not "
look 'assert len(page["without_intervals"]) == 1 and "intervals" in json.dumps(page["runs"][0]["evaluations"]), page["without_intervals"]'

new_case "captions cannot become HTML"
out=$scratch/out page=$scratch/hostile.html
python3 - "$out/result/val_epoch1.json" <<'END'
import json, sys
rows = json.load(open(sys.argv[1]))
for row in rows:
    row["caption"] = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
json.dump(rows, open(sys.argv[1], "w"))
END
run "$blip" report "$out" --out "$page"
exits 0
look '
assert text.count("<script") == 2 and text.count("</script") == 2 and "<img src=x" not in text
assert "document.title='"'owned'"'" in page["pictures"][0]["captions"][1]["text"]
'

new_case "a browser draws it: curves, pictures, no error, and captions as text"
if ! command -v chromium >/dev/null; then
    skip_case "no chromium: env/setup.sh --with-browser"
else
    browse() { timeout 60 chromium --headless --no-sandbox --disable-gpu --user-data-dir="$scratch/browser" \
        --enable-logging=stderr --virtual-time-budget=3000 --window-size=1000,1400 "$@" "file://$page" 2>"$scratch/console"; }
    browse --dump-dom >"$scratch/dom" || fail "the browser failed"
    ! grep -q 'CONSOLE' "$scratch/console" || fail "$(grep CONSOLE "$scratch/console")"
    python3 - "$scratch/dom" <<'END' || fail "the page was not drawn"
import re, sys
dom = open(sys.argv[1], encoding="utf-8").read()
main = dom[dom.index("<main"):dom.index("</main>")]
assert len(re.findall(r'class="curve" d="M[^"]*L', main)) >= 10, "curves"
assert main.count("<img src=\"data:image/jpeg;base64,") == 6, "pictures"
assert "&lt;/script&gt;&lt;script&gt;" in main and "<title>blip_mpi: out</title>" in dom, "captions"
END
    page=$scratch/two.html
    browse --dump-dom >"$scratch/dom2" || fail "the browser failed"
    ! grep -q 'CONSOLE' "$scratch/console" || fail "$(grep CONSOLE "$scratch/console")"
    python3 - "$scratch/dom2" <<'END' || fail "the table of two runs was not drawn"
import re, sys
dom = open(sys.argv[1], encoding="utf-8").read()
table = dom[dom.index("Scores of the best epochs"):dom.index("To copy")]
rows = re.findall(r"<tr>(.*?)</tr>", table)
metrics = rows[0].count("<th>") - 2    # METEOR where its tables are
assert len(rows) == 5 and metrics >= 6, rows
assert [len(re.findall(r"\[\d\.\d{4}, \d\.\d{4}\]", row)) for row in rows] == [0, metrics, metrics, metrics, 0], rows
assert "no intervals: " in table and "95 % intervals" in table, table
END
    page=$scratch/hostile.html
    browse --screenshot="$scratch/shot.png" >/dev/null || fail "no screenshot"
    python3 - "$scratch/shot.png" <<'END' || fail "the screenshot shows nothing"
import struct, sys, zlib
png, at, data = open(sys.argv[1], "rb").read(), 8, b""
while at < len(png):
    size, kind = struct.unpack(">I4s", png[at:at + 8])
    if kind == b"IHDR": width, height, depth, colour = struct.unpack(">IIBB", png[at + 8:at + 18])
    if kind == b"IDAT": data += png[at + 8:at + 8 + size]
    at += size + 12
# compressed rows: a page of one colour shrinks to nearly nothing
assert (width, height) == (1000, 1400) and len(data) > 20000, (width, height, len(data))
assert len(set(zlib.decompress(data))) > 50
END
fi

new_case "bad input: no run, no log, data that are not there"
run "$blip" report "$scratch/nowhere"
exits 66; says "$scratch/nowhere: no log.jsonl there"
run "$blip" status "$scratch"
exits 66; says "no log.jsonl there"
run "$blip" report "$out" --data "$scratch/none.h5" --out "$page"
exits 66; says "none.h5"
run "$blip" status
exits 64; says "status needs the folder of a run"
run "$blip" report "$out" --out "$scratch/no/folder/page.html"
exits 74; says "no/folder/page.html"
summary
