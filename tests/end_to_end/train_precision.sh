#!/usr/bin/env bash
# bf16 weights with fp32 masters, on the CPU: near the fp32 run, resumed bit for bit, over ranks, and never mixed with
# fp32 in one run.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
draw_sample 24    # 120 captions: 10 steps an epoch
limit=$(tolerance bf16_loss)

new_case "bf16: the losses of fp32 within bf16's rounding, and not the same"
train 1 "$scratch/fp32" --epochs 2 --no-evaluate
exits 0; says "precision fp32"
train 1 "$scratch/bf16" --epochs 2 --precision bf16
exits 0; says "precision bf16"
same_losses "$limit" "$scratch/bf16" "$scratch/fp32"
log_query "assert any(r['loss'] != logs[1][s]['loss'] for s, r in logs[0].items())" "$scratch/bf16" "$scratch/fp32"

new_case "bf16 on 3 ranks: the same losses within bf16's rounding"
train 3 "$scratch/bf16_np3" --epochs 2 --no-evaluate --precision bf16
exits 0
same_losses "$limit" "$scratch/bf16_np3" "$scratch/bf16"

new_case "bf16, killed in mid-epoch: the same command ends with an undisturbed run's bytes"
options=(--epochs 3 --no-evaluate --checkpoint-every 4 --precision bf16)
start_train 2 "$scratch/killed" "${options[@]}"
wait_for 60 step_logged "$scratch/killed" 14
kill -9 "$(rank_of "$job" 1)"
finish_job 10
exits 137
train 2 "$scratch/killed" "${options[@]}"
exits 0; says "resuming after step"
train 2 "$scratch/whole" "${options[@]}"
same_weights "$scratch/killed" "$scratch/whole"
same_losses 0 "$scratch/killed" "$scratch/whole"

new_case "a run does not change its precision: refused by name"
train 2 "$scratch/whole" --epochs 3 --no-evaluate --checkpoint-every 4 --precision fp32
exits 64; says "precision: was bf16, now fp32"

new_case "the best weights are the fp32 masters, and caption in either precision"
python3 - "$scratch/bf16/best/model.safetensors" >>"$scratch/.checks" 2>&1 <<'PYTHON' || fail "not fp32"
import json, struct, sys
data = open(sys.argv[1], 'rb').read()
length = struct.unpack('<Q', data[:8])[0]
header = json.loads(data[8:8 + length])
header.pop('__metadata__', None)
assert all(entry['dtype'] == 'F32' for entry in header.values())
begin, end = next(iter(header.values()))['data_offsets']
words = struct.unpack(f'<{(end - begin) // 4}I', data[8 + length + begin:8 + length + end])
assert any(word & 0xffff for word in words), 'every value is a bf16 number: the masters were lost'
PYTHON
for precision in fp32 bf16; do
    run mpirun -np 2 "$blip" evaluate --data "$data" --init "$scratch/bf16/best" --output "$scratch/scores" --split val \
        --precision $precision --threads 1 --no-progress
    exits 0; says "precision $precision"
done
summary
