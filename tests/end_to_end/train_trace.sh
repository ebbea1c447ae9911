#!/usr/bin/env bash
# test: quick
# train --trace and report --trace: two ranks, killed and resumed, as one timeline in Chrome's format; it changes no bit of
# the run; places that cannot be written; ranges for NVIDIA's profilers.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
draw_sample 24    # 10 steps an epoch
out=$scratch/out

# timeline FILE CODE: checks the format of all events, then CODE, which has spans (by pid and tid) and names
timeline() {
    local said
    said=$(python3 - "$@" <<'PYTHON' 2>&1
import collections, json, sys
trace = json.load(open(sys.argv[1]))
spans, names = collections.defaultdict(list), {}
for event in trace['traceEvents']:
    assert isinstance(event['name'], str) and event['pid'] >= 0 and event['tid'] >= 0 and event['ts'] >= 0, event
    assert event['ph'] in 'XM', event
    if event['ph'] == 'M':
        names[event['name'], event['pid'], event['tid']] = event['args']['name']
        continue
    assert event['dur'] >= 0, event
    spans[event['pid'], event['tid']].append(event)
for thread in spans.values():    # they nest or do not overlap; in ns, as they were measured
    open_until = []
    whole = lambda us: round(us * 1000)
    for begin, end, name in sorted(((whole(e['ts']), whole(e['ts'] + e['dur']), e['name']) for e in thread), key=lambda s: (s[0], -s[1])):
        while open_until and open_until[-1] <= begin: open_until.pop()
        assert not open_until or end <= open_until[-1], (name, begin, end, open_until)
        open_until.append(end)
count = lambda thread, name, cat='phase': sum(e['name'] == name and e['cat'] == cat for e in spans[thread])
exec(sys.argv[2])
PYTHON
    ) || fail "$(tail -n 3 <<<"$said")"
}

new_case "two ranks: every step's parts, checkpoints, evaluation and waits, as one timeline"
train 2 "$out" --epochs 1 --checkpoint-every 5 --trace
exits 0
is "$(ls "$out/trace")" $'rank_0.jsonl\nrank_1.jsonl' "what is in trace/"
run "$blip" report "$out" --trace "$scratch/trace.json"
exits 0; says "spans of 2 ranks in 1 start, for ui.perfetto.dev; when they met, the ranks' clocks were within "
timeline "$scratch/trace.json" '
assert set(spans) == {(0, 0), (1, 0)}, set(spans)
for thread in spans:
    assert names["process_name", thread[0], 0] == f"rank {thread[0]}" and "process" in names["thread_name", *thread]
    for name in "forward", "backward":
        assert count(thread, name) == 30, (name, count(thread, name))    # 12 captions a step, by 2, on two ranks
        steps = collections.Counter(e["args"]["step"] for e in spans[thread] if e["name"] == name)
        assert steps == {step: 3 for step in range(1, 11)}, steps
    assert count(thread, "reading a batch") >= 30 and count(thread, "updating") >= 10 and count(thread, "saving a checkpoint") >= 2
    assert count(thread, "captioning") >= 1 and count(thread, "scoring") >= 1 and count(thread, "loading weights") >= 1
waits = {e["name"] for thread in spans.values() for e in thread if e["cat"] == "wait"}
assert any(name.startswith("reduce gradient bucket") for name in waits), waits
'
log_query "
spans = [json.loads(line) for line in open('$out/trace/rank_0.jsonl')]
for name in 'forward', 'backward':
    differ = []
    for step, record in logs[0].items():
        traced = sum(s['ns'] for s in spans if s['kind'] == 'phase' and s['name'] == name and s['step'] == step) / 1e6
        differ.append(abs(traced / record[name + '_ms'] - 1))
    assert sorted(differ)[5] < 0.3, (name, differ)" "$out"

new_case "it is no part of what a run is: the same bits without"
train 2 "$scratch/without" --epochs 1 --checkpoint-every 5
exits 0
[ ! -e "$scratch/without/trace" ] || fail "there is a trace"
same_weights "$out" "$scratch/without"
same_losses 0 "$out" "$scratch/without"
run "$blip" report "$scratch/without" --trace "$scratch/none.json"
exits 66; says "$scratch/without: no trace/rank_*.jsonl there"
leaves_nothing_like "$scratch/none.json*"

new_case "killed and resumed: both starts in one timeline, without the line that the kill tore"
out=$scratch/killed
start_train 2 "$out" --epochs 40 --no-evaluate --checkpoint-every 4 --trace
wait_for 60 step_logged "$out" 14
sleep 1.5    # it is written once a second
# shellcheck disable=SC2046
kill -9 $(ranks_of "$job") "$job" 2>/dev/null
wait "$job" 2>/dev/null
printf '{"kind":"phase","name":"forw' >>"$out/trace/rank_1.jsonl"    # as when the kill hits a write
run "$blip" report "$out" --trace "$scratch/torn.json"
exits 0; says_not "no record"
timeline "$scratch/torn.json" 'assert set(spans) == {(0, 0), (1, 0)} and all(count(thread, "forward") >= 30 for thread in spans)'
steps=$(python3 -c "import json, sys; print(max(r['step'] for r in map(json.loads, open(sys.argv[1])) if r['kind'] == 'step') + 6)" "$out/log.jsonl")
train 2 "$out" --epochs 40 --no-evaluate --checkpoint-every 4 --max-steps "$steps" --trace
exits 0; says "resuming after step "
run "$blip" report "$out" --trace "$scratch/both.json"
exits 0; says "of 2 ranks in 2 starts"; says_not "no record"
echo 'no span' >>"$out/trace/rank_0.jsonl"
run "$blip" report "$out" --trace "$scratch/both.json"
exits 0; says "1 line of the trace is no record and left out"
timeline "$scratch/both.json" '
assert set(spans) == {(0, 0), (1, 0), (0, 1), (1, 1)}, set(spans)
for rank in 0, 1:
    first, second = ([e for e in spans[rank, start] if e["name"] == "forward"] for start in (0, 1))
    assert max(e["ts"] + e["dur"] for e in first) < min(e["ts"] for e in second)
    assert second[-1]["args"]["step"] == '"$steps"', second[-1]
    assert names["thread_name", rank, 1].startswith("start 2: ")'

new_case "a place that cannot be written is told, and the run goes on"
mkdir -p "$scratch/place/trace/rank_0.jsonl"
train 2 "$scratch/place" --epochs 1 --no-evaluate --max-steps 3 --trace
exits 0; says "--trace: cannot write the trace $scratch/place/trace/rank_0.jsonl: Is a directory; the run goes on without"
[ -s "$scratch/place/trace/rank_1.jsonl" ] || fail "the other rank has none"

new_case "on a device: ranges for NVIDIA's profilers, as many as spans, each ended"
gpu=$build/tests/blip_mpi_fake_cuda nvtx=$(realpath "$build/torch")/../nvidia/cu13/include
if [ ! -x "$gpu" ] || [ ! -e "$nvtx/nvtx3/nvToolsExt.h" ]; then
    skip_case "built without CUDA"
else
    cat >"$scratch/listens.c" <<'SOURCE'
#include <nvtx3/nvToolsExt.h>
#include <stdio.h>
#include <stdlib.h>
static FILE* seen;
static int push(const char* name) { return fprintf(seen, "begin %s\n", name), fflush(seen); }
static int pop(void) { return fprintf(seen, "end\n"), fflush(seen); }
int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t get) {
    const NvtxExportTableCallbacks* tables = get(NVTX_ETID_CALLBACKS);
    NvtxFunctionTable core;
    if (!tables->GetModuleFunctionTable(NVTX_CB_MODULE_CORE, &core, NULL)) return 0;
    seen = fopen(getenv("NVTX_SEEN"), "w");
    *core[NVTX_CBID_CORE_RangePushA] = (NvtxFunctionPointer)push;
    *core[NVTX_CBID_CORE_RangePop] = (NvtxFunctionPointer)pop;
    return 1;
}
SOURCE
    ${CC:-gcc} -shared -fPIC -isystem "$nvtx" -o "$scratch/listens.so" "$scratch/listens.c" || fail "it does not compile"
    run env "NVTX_INJECTION64_PATH=$scratch/listens.so" "NVTX_SEEN=$scratch/seen" timeout -k 5 240 mpirun -np 1 "$gpu" train \
        --data "$data" --output "$scratch/ranges" "${small[@]}" --micro-batch 3 --device cuda --epochs 1 --no-evaluate --trace
    exits 0
    python3 - "$scratch/seen" "$scratch/ranges/trace/rank_0.jsonl" <<'PYTHON' || fail "other ranges than spans"
import collections, json, sys
open_ones, ended = [], []
for line in open(sys.argv[1]).read().splitlines():
    if line == 'end': ended.append(open_ones.pop())
    else: open_ones.append(line.removeprefix('begin '))
spans = [record['name'] for record in map(json.loads, open(sys.argv[2])) if record['kind'] != 'start']
assert not open_ones and ended == spans and spans.count('forward') == 40, (open_ones, len(ended), len(spans))
PYTHON
fi

new_case "one run, and no page"
run "$blip" report "$out" "$scratch/place" --trace "$scratch/two.json"
exits 64; says "--trace is of one run; 2 were given"
run "$blip" report "$out" --trace "$scratch/two.json" --out "$scratch/page.html"
exits 64; says "--trace writes no page: leave out it or --out"
summary
