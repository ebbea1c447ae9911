#!/usr/bin/env bash
# test: quick
# blip_mpi verify as a user and other scripts call it: lines, exit codes, JSON.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
draw_sample 24
verify() { run "$blip" verify "$@"; }
lines() { is "$(wc -l <"$output")" "$1" "lines"; }

out=$scratch/out
new_case "a run's checkpoints and best weights are good"
train 2 "$out" --epochs 1 --checkpoint-every 5 --keep 5 --limit 2
exits 0
for deep in "" --deep; do
    verify "$out" $deep
    exits 0; lines 3
    says "good        $out/checkpoints/step-00000010: after step 10, epoch 1, written by 2 ranks"
    says "good        $out/checkpoints/step-00000005: after step 5, epoch 1"
    says "good        $out/best: weights after step 10"
done
verify --deep "$out/checkpoints/step-00000005"
exits 0; lines 1
verify "$out/best"
exits 0; lines 1
verify "$data"
exits 0; says "$data: 35 images and "

new_case "one flipped byte: seen with --deep, named, 65; the others stay good"
shard=$out/checkpoints/step-00000010/shard-00000-of-00002.safetensors
flip_byte "$shard" $(($(stat -c %s "$shard") - 5))
verify "$out"
exits 0
verify "$out" --deep
exits 65; lines 3
says "bad         $out/checkpoints/step-00000010: shard-00000-of-00002.safetensors is damaged: its digest is"
says "good        $out/checkpoints/step-00000005"

new_case "JSON says the same"
verify "$out" --deep --json
exits 65
python3 - "$output" "$out" <<'PYTHON' >"$scratch/.said" 2>&1 || fail "$(tail -n 1 "$scratch/.said")"
import json, sys
found, out = json.load(open(sys.argv[1])), sys.argv[2]
assert found['deep'] is True and found['path'] == out, found
assert [i['state'] for i in found['items']] == ['bad', 'good', 'good'], found
assert found['newest_good_checkpoint'] == out + '/checkpoints/step-00000005', found
assert [i.get('step') for i in found['items']] == [None, 5, 10] or found['items'][0]['step'] == 10, found
PYTHON

new_case "a manifest missing: unfinished, not bad; nothing left: 66"
rm "$out/checkpoints/step-00000010/manifest.json"
verify "$out" --deep
exits 0; says "unfinished  $out/checkpoints/step-00000010: no manifest"
rm "$out/checkpoints/step-00000005/manifest.json"
verify "$out/checkpoints"
exits 66
verify "$scratch/nowhere"
exits 66; says "$scratch/nowhere: no such file or folder"
mkdir "$scratch/empty"
verify "$scratch/empty"
exits 66; says "holds no checkpoint and no weights"

new_case "a damaged packed file is bad, a wrong command line is 64"
flip_byte "$data" $(($(stat -c %s "$data") / 2))
verify "$data"
exits 65; says "bad         $data: "
verify
exits 64; says "verify needs a folder or file"
verify "$out" --deeply
exits 64; says "no option --deeply"; says "did you mean --deep"
verify --help
exits 0; says "--deep"
run mpirun -np 2 "$blip" verify "$out/best"
exits 0; lines 1
summary
