# shellcheck shell=bash
# Sourced by the train_, evaluate_ and caption_ scripts: a drawn data set, a network of 1 M parameters, runs in the
# foreground and background, and what the run's log says. Built on lib.sh.
# shellcheck source=tests/support/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
blip=$bin/blip_mpi
data=$scratch/sample.h5
# A small network of the same code; one compute thread, so that the number of cores does not show in the bits.
shape=(--model tiny --text-hidden 32 --text-heads 2 --text-intermediate 64 --text-layers 2
    --vision-width 32 --vision-depth 2 --vision-heads 2 --image-size 32)
small=("${shape[@]}" --threads 1 --loader-threads 1 --no-progress --no-peak --init-lr 1e-3 --global-batch 12)

# draw_sample [PICTURES]: $data with so many training pictures (five captions each), 6 to validate and 5 to test on
draw_sample() {
    "$bin/make_sample" --out "$scratch/coco" --train "${1:-24}" --val 6 --test 5 >"$scratch/.drawn" 2>&1 &&
        "$bin/coco_pack" --coco "$scratch/coco" --out "$data" >>"$scratch/.drawn" 2>&1 && return 0
    cat "$scratch/.drawn"
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
}
# train RANKS OUTPUT ARGUMENT...: the small network on $data, to its end; micro-batches of $micro, if that is set
train() {
    run timeout -k 5 240 mpirun -np "$1" "$blip" train --data "$data" --output "$2" "${small[@]}" --micro-batch "${micro:-2}" "${@:3}"
}

# start COMMAND...: in the background; sets $job. Output is that of `run`.
start() {
    : >"$output" # in the background it would happen later, and words of the run before be found
    "$@" >"$output" 2>&1 &
    job=$!
}
start_train() {
    start mpirun -np "$1" "$blip" train --data "$data" --output "$2" "${small[@]}" --micro-batch "${micro:-2}" "${@:3}"
}
# The ranks' processes, in rank order.
ranks_of() {
    local pid
    for pid in $(pgrep -P "$1"); do
        echo "$(tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | sed -n 's/^OMPI_COMM_WORLD_RANK=//p') $pid"
    done | sort -n | awk '{print $2}'
}
rank_of() { ranks_of "$1" | sed -n "$(($2 + 1))p"; }
# wait_for SECONDS COMMAND...: asks 20 times a second; fails the case when the job ends or time runs out first.
wait_for() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" 2>/dev/null; do
        if [ $SECONDS -ge $deadline ] || ! kill -0 "$job" 2>/dev/null; then
            "$@" 2>/dev/null && return 0
            fail "waited in vain for: $*"
            return 1
        fi
        sleep 0.05
    done
}
# on_pretended_gpu: $blip is the program on the pretended device from now on; a build without CUDA skips the script
on_pretended_gpu() {
    blip=$build/tests/blip_mpi_fake_cuda
    if [ ! -x "$blip" ]; then
        echo "skipped: the program on a pretended GPU (built without CUDA)"
        echo "0 passed, 0 failed, 1 skipped"
        exit 0
    fi
    blip=$(realpath "$blip")
}
# finish_job [SECONDS]: waits for $job; sets $status, and $waited to the seconds it took. Killed and failed if it outlasts.
# shellcheck disable=SC2034
finish_job() {
    local begin=$SECONDS limit=${1:-60} at
    for ((at = 0; at < limit * 20; ++at)); do
        kill -0 "$job" 2>/dev/null || break
        sleep 0.05
    done
    if kill -0 "$job" 2>/dev/null; then
        fail "the job did not end within $limit s"
        # shellcheck disable=SC2046
        kill -9 $(ranks_of "$job") "$job" 2>/dev/null
    fi
    status=0
    wait "$job" 2>/dev/null || status=$?
    export waited=$((SECONDS - begin)) # for the script that waits
}
# step_logged OUTPUT STEP: the run's log holds that step
step_logged() { grep -q "\"step\":$2,\"epoch\"" "$1/log.jsonl"; }
# whole_checkpoint OUTPUT STEP: that checkpoint is published
whole_checkpoint() { [ -s "$1/checkpoints/step-$(printf %08d "$2")/manifest.json" ]; }
last_checkpoint() { find "$1/checkpoints" -maxdepth 1 -name 'step-*' | sort | tail -n 1; }

# said_once TEXT
said_once() { is "$(grep -cF -- "$1" "$output")" 1 "times it says '$1'"; }
# same_file A B WHAT
same_file() { cmp -s "$1" "$2" || fail "$3 differs: $1 and $2"; }
# same_weights OUTPUT OTHER: last checkpoint's shards and the best weights, byte for byte
same_weights() {
    local file last other
    last=$(last_checkpoint "$1") other=$(last_checkpoint "$2")
    [ -n "$last" ] && [ "${last##*/}" = "${other##*/}" ] || fail "last checkpoints are '$last' and '$other'"
    for file in "$last"/shard-*.safetensors; do
        same_file "$file" "$other/${file##*/}" "a shard"
    done
    is "$(find "$last" -name 'shard-*' | wc -l)" "$(find "$other" -name 'shard-*' | wc -l)" "number of shards"
    [ ! -e "$1/best" ] || same_file "$1/best/model.safetensors" "$2/best/model.safetensors" "the best weights"
}
# log_query PYTHON OUTPUT...: runs PYTHON with logs, a list of {step: record} (the last record of a step counts) and
# events, a list of the other records; its output and failure become the case's.
log_query() {
    local said
    said=$(python3 -c '
import json, sys
logs, events = [], []
for folder in sys.argv[2:]:
    records = [json.loads(line) for line in open(folder + "/log.jsonl")]
    logs.append({r["step"]: r for r in records if r["kind"] == "step"})
    events.append([r for r in records if r["kind"] != "step"])
exec(sys.argv[1])' "$@" 2>&1) || fail "$(tail -n 3 <<<"$said")"
}
# same_losses TOLERANCE OUTPUT OTHER: of all steps, relative
same_losses() {
    log_query "
assert logs[0].keys() == logs[1].keys() and logs[0], (sorted(logs[0]), sorted(logs[1]))
for step, record in logs[0].items():
    other = logs[1][step]
    assert record['tokens'] == other['tokens'], (step, record['tokens'], other['tokens'])
    assert abs(record['loss'] / other['loss'] - 1) <= $1, (step, record['loss'], other['loss'])" "$2" "$3"
}

# Weights in $best that give different pictures different captions. So short a training gives all pictures one caption:
# what the decoder sees of a picture is made stronger. Its data: the 12 pictures of draw_sample.
# shellcheck disable=SC2034
eager_weights() {
    draw_sample 12
    small=("${shape[@]}" --threads 1 --loader-threads 1 --no-progress --init-lr 3e-3 --global-batch 12)
    micro=12 train 1 "$scratch/run" --epochs 20 --limit 1
    best=$scratch/eager
    mkdir "$best"
    cp "$scratch/run/best/config.json" "$scratch/run/best/vocab.txt" "$best"
    python3 - "$scratch/run/best/model.safetensors" "$best/model.safetensors" <<'PYTHON'
import array, json, struct, sys
raw = open(sys.argv[1], 'rb').read()
length = struct.unpack('<Q', raw[:8])[0]
header = json.loads(raw[8:8 + length])
for digest in ('xxh3', 'header_xxh3'): header['__metadata__'].pop(digest)    # of other values
values = array.array('f', raw[8 + length:])
for name, entry in header.items():
    if name.endswith(('crossattention.output.dense.weight', 'patch_embed.proj.weight')):
        begin, end = (offset // 4 for offset in entry['data_offsets'])
        values[begin:end] = array.array('f', (30 * value for value in values[begin:end]))
text = json.dumps(header).encode()
open(sys.argv[2], 'wb').write(struct.pack('<Q', len(text)) + text + values.tobytes())
PYTHON
}
# caption ARGUMENT...: by the eager weights, under $launcher; captions in $scratch/said, messages in $scratch/errors
launcher=()
caption() {
    status=0
    "${launcher[@]}" "$blip" caption --init "$best" --threads 1 "$@" >"$scratch/said" 2>"$scratch/errors" || status=$?
    cat "$scratch/said" "$scratch/errors" >"$output"
}
