#!/usr/bin/env bash
# test: timed
# What a run writes: log.jsonl with every step, --max-steps, --dry-run, --print-config, retention; and inputs that are
# absent, wrong or contradictory, told once and not per rank.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
draw_sample 24    # 10 steps an epoch

new_case "every step's loss, learning rate, norm, times and tokens are in log.jsonl"
out=$scratch/run
train 2 "$out" --epochs 2
exits 0
log_query "
log = logs[0]
assert sorted(log) == list(range(1, 21)), sorted(log)
for step, r in log.items():
    assert r['epoch'] == (step - 1) // 10 and r['step_in_epoch'] == (step - 1) % 10 + 1, r
    assert r['samples'] == 12 and 12 * 3 < r['tokens'] < 12 * 30, r
    assert 0 < r['loss'] < 12 and r['gradient_norm'] > 0, r
    assert abs(r['lr'] - (1e-3 if r['epoch'] == 0 else 5e-4)) < 1e-9, r
    times = [r[k] for k in ('data_ms', 'forward_ms', 'backward_ms', 'reduce_ms', 'update_ms')]
    assert all(t >= 0 for t in times) and r['forward_ms'] > 0 and r['backward_ms'] > 0, r
    assert sum(times) <= r['step_ms'] * 1.01, r
kinds = [e['kind'] for e in events[0]]
assert kinds[:2] == ['build', 'run'] and kinds.count('evaluation') == 2 and kinds.count('checkpoint') == 2 and kinds[-1] == 'stop', kinds
assert events[0][-1]['finished'] and events[0][-1]['peak_memory_bytes'] > 1e6, events[0][-1]" "$out"
is "$(grep -c '"kind":"step"' "$out/log.jsonl")" 20 "step records"
grep -q 'data digest\|digest' "$out/log.txt" || fail "log.txt does not say what the run was"

new_case "run again, a finished run has nothing left to do"
train 2 "$out" --epochs 2
exits 0; says "resuming after step 20 (epoch 2, step 10 of 10)"; says "nothing left to do: the run had finished after step 20; best weights: $out/best (epoch"
says "to train on: --init $out --output"
is "$(grep -c '"kind":"step"' "$out/log.jsonl")" 20 "step records"

new_case "--max-steps ends within an epoch; what follows is logged after a resume record"
train 2 "$scratch/max" --epochs 2 --no-evaluate --max-steps 13
exits 0; says "finished after step 13"
train 2 "$scratch/max" --epochs 2 --no-evaluate
exits 0; says "resuming after step 13 (epoch 2, step 3 of 10)"
log_query "
resumed = [e for e in events[0] if e['kind'] == 'resume']
assert len(resumed) == 1 and resumed[0]['step'] == 13 and resumed[0]['ranks'] == 2, resumed
assert sorted(logs[0]) == list(range(1, 21)), sorted(logs[0])" "$scratch/max"
same_losses 0 "$scratch/max" "$out"

new_case "--keep 1 --checkpoint-every 2 leaves the last checkpoint"
train 1 "$scratch/keep" --epochs 1 --no-evaluate --keep 1 --checkpoint-every 2
exits 0
is "$(ls "$scratch/keep/checkpoints")" step-00000010 "checkpoints"

new_case "--checkpoint-minutes: by the clock"
train 2 "$scratch/clock" --epochs 1 --no-evaluate --keep 100 --checkpoint-minutes 0.0001
exits 0
[ "$(find "$scratch/clock/checkpoints" -mindepth 1 -maxdepth 1 | wc -l)" -gt 2 ] || fail "no checkpoints by the clock"

new_case "--dry-run says what would run, trains and writes nothing"
train 2 "$scratch/dry" --epochs 2 --dry-run
exits 0; says "10 steps an epoch"; says "nothing was trained or written"
leaves_nothing_like "$scratch/dry*"
find "$out" -type f -exec md5sum {} + | sort >"$scratch/before"
micro=6 train 3 "$out" --epochs 2 --dry-run
exits 0; says "would resume after step 20"; said_once "1 of 3 ranks have nothing to do"
find "$out" -type f -exec md5sum {} + | sort | cmp -s - "$scratch/before" || fail "the run's folder has changed"
train 2 "$out" --epochs 3 --dry-run
exits 64; said_once "epochs: was 2, now 3"

new_case "--print-config gives the same run again"
train 1 "$scratch/config" --epochs 2 --print-config
exits 0
grep -v '^output' "$output" >"$scratch/run.cfg"
run timeout 240 mpirun -np 2 "$blip" --config "$scratch/run.cfg" --output "$scratch/config"
exits 0
same_weights "$scratch/config" "$out"

# refused CODE WORD ARGUMENT...: on three ranks, one message
refused() {
    run timeout 60 mpirun -np 3 "$blip" train --no-progress "${@:3}"
    exits "$1"; said_once "$2"
    is "$(grep -cE 'error: |blip_mpi: ' "$output")" 1 "messages"
}
new_case "inputs that are absent, wrong or contradictory: one message, the right code"
refused 66 "$scratch/absent.h5" --data "$scratch/absent.h5" --output "$scratch/no"
refused 65 "is not a file" --data "$scratch" --output "$scratch/no"
head -c 100000 "$data" >"$scratch/half.h5"
refused 65 "half.h5" --data "$scratch/half.h5" --output "$scratch/no"
refused 66 "--init $scratch/absent: no such file" --data "$data" --output "$scratch/no" --init "$scratch/absent"
refused 66 "holds no weights" --data "$data" --output "$scratch/no" --init "$scratch/coco"
refused 65 "sample.h5" --data "$data" --output "$scratch/no" --init "$data"
refused 64 "text-hidden: 96 was asked for, the weights have 32" --data "$data" --output "$scratch/no" --init "$out" --text-hidden 96
refused 64 "--global-batch 256 is larger than the 120 captions" --data "$data" --output "$scratch/no" --model tiny
leaves_nothing_like "$scratch/no*"
refused 74 "/proc/nowhere" --data "$data" "${shape[@]}" --global-batch 12 --micro-batch 2 --output /proc/nowhere
refused 74 "sample.h5/out" --data "$data" "${shape[@]}" --global-batch 12 --micro-batch 2 --output "$data/out"
cp "$out/best/model.safetensors" "$scratch/damaged.safetensors"
flip_byte "$scratch/damaged.safetensors" $(($(stat -c %s "$scratch/damaged.safetensors") / 2))
refused 65 "damaged.safetensors is damaged" --data "$data" "${shape[@]}" --global-batch 12 --micro-batch 2 --output "$scratch/no" --init "$scratch/damaged.safetensors"

new_case "an output folder that cannot be written to"
if unshare -m true 2>/dev/null; then
    mkdir "$scratch/small"
    run unshare -m bash -c 'mount -t tmpfs -o size=10m none "$0" && mount -o remount,ro "$0" && exec "$@"' "$scratch/small" \
        mpirun -np 2 "$blip" train --data "$data" "${small[@]}" --micro-batch 2 --output "$scratch/small"
    exits 74; said_once "error: "; says "$scratch/small"
else
    skip_case "no private mounts here"
fi

new_case "the disk fills up: told, the checkpoint before stays, the run ends with 74"
if unshare -m true 2>/dev/null; then
    run unshare -m bash -c 'mount -t tmpfs -o size=36m none "$0" && "$@"; rc=$?; ls -R "$0"; exit $rc' "$scratch/small" \
        timeout 120 mpirun -np 2 "$blip" train --data "$data" "${small[@]}" --micro-batch 2 --output "$scratch/small" \
        --epochs 2 --no-evaluate --checkpoint-every 4 --keep 5
    exits 74; says "no checkpoint at step"; says "free some space"; says "step-00000004"; said_once "error: "
else
    skip_case "no private mounts here"
fi
summary
