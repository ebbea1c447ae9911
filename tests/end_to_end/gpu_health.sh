#!/usr/bin/env bash
# test: limit=600
# How the GPUs are, in log.jsonl and in warnings: NVML and the driver are played by libraries made here, the GPUs by the
# pretended device. What NVML tells of a GPU stands in a file of the GPU's address, which the test changes; another file has
# its errors.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
# shellcheck source=tests/support/gpu_lib.sh
. "$(dirname "$0")/../support/gpu_lib.sh"
on_pretended_gpu
draw_sample 24
play_gpus
path=${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH=$scratch/lib$path
options=(--device cuda --epochs 1 --no-evaluate)

new_case "two ranks, each its own GPU: temperature, power, clocks and errors at the start and the end, and no warning"
is_so 12 "${healthy[@]}"
is_so 13 "${healthy[@]/temperature 45/temperature 51}"
FAKE_FIRST_GPU=2 train 2 "$scratch/well" "${options[@]}"
exits 0; says_not warning
log_query "
told = [e for e in events[0] if e['kind'] == 'gpus']
assert [e['step'] for e in told] == [0, 10], told
import socket
for record in told:
    assert 'warnings' not in record
    for rank, gpu in enumerate(record['gpus']):
        assert gpu == {'rank': rank, 'host': gpu['host'], 'gpu': f'0000:1{rank + 2}:00.0', 'temperature_c': (45, 51)[rank], 'power_w': 312,
                       'sm_mhz': 1905, 'sm_mhz_max': 1980, 'memory_mhz': 2619, 'ecc_uncorrected': 0, 'slowed_by': ['sw_power_cap']}, gpu
        assert socket.gethostname().startswith(gpu['host']), gpu" "$scratch/well"

new_case "a GPU that is hot at the start, one with a power brake: a warning each, with host and GPU; status and the page show it"
is_so 10 "temperature 93" "reasons 0x48" "ecc 2"
is_so 11 "temperature 60" "reasons 0x88"
train 2 "$scratch/hot" "${options[@]}"
exits 0
said_once "warning: GPU 0000:10:00.0 of rank 0 on "; says "is slowed down by heat (hw_slowdown, hw_thermal_slowdown) at 93 degrees C: every rank waits for it"
said_once "warning: GPU 0000:11:00.0 of rank 1 on "; says "is slowed down by its power brake (hw_slowdown, hw_power_brake_slowdown) at 60 degrees C"
says_not "memory errors"
run "$build/bin/blip_mpi" status "$scratch/hot"
says "last warning"; says "0000:11:00.0"
run "$build/bin/blip_mpi" report "$scratch/hot" --out "$scratch/hot.html"
exits 0
grep -q 'GPU 0000:10:00.0 of rank 0 on [^"]* is slowed down by heat' "$scratch/hot.html" || fail "not on the page"

new_case "it changes for the worse while a run goes on: told within a minute, once"
is_so 10 "${healthy[@]}"
start_train 1 "$scratch/worse" --device cuda --epochs 100000 --no-evaluate
wait_for 60 step_logged "$scratch/worse" 3
is_so 10 "temperature 88" "reasons 0x20" "ecc 3" "${healthy[@]:2:4}"
sleep 14    # it is read every ten seconds, and told each minute
is_so 10 "temperature 70" "reasons 0" "ecc 3" "${healthy[@]:2:4}"
wait_for 75 grep -q '"kind":"gpus".*warnings' "$scratch/worse/log.jsonl"
kill -USR1 "$job"
finish_job 60
is "$status" 85 "exit"
said_once "is slowed down by heat (sw_thermal_slowdown) at 88 degrees C"
said_once "had 3 memory errors that ECC could not correct, 3 since its driver was loaded"

new_case "errors of the driver (Xid): told once, within seconds, by the GPU's rank; in the next record; none of before the run"
is_so 10 "${healthy[@]}"
is_so 11 "${healthy[@]}"
reports 10 79
reports 11 48 48
start_train 2 "$scratch/errors" --device cuda --epochs 100000 --no-evaluate
wait_for 60 step_logged "$scratch/errors" 3
says_not Xid
reports 11 94 clock 94 1234
wait_for 15 grep -q 'reports Xid 1234' "$output"
reports 11 94
reports 10 43
kill -USR1 "$job"
finish_job 60
is "$status" 85 "exit"
is "$(grep -c " rank 1 warning: GPU 0000:11:00.0 of rank 1 on " "$output")" 2 "warnings of rank 1"
said_once "its driver reports Xid 94 (a memory error that ECC could not correct, which reached one program): have its memory checked"
said_once "its driver reports Xid 1234; NVIDIA's list of Xid errors tells what it means"
said_once " warning: GPU 0000:10:00.0 of rank 0 on "; said_once "its driver reports Xid 43 (a program's work was stopped"
is "$(grep -c Xid "$output")" 3 "lines about Xids"
log_query "
first, last = [e for e in events[0] if e['kind'] == 'gpus']
assert [g['xids'] for g in first['gpus']] == [[], []] and 'warnings' not in first, first
assert [g['xids'] for g in last['gpus']] == [[43], [94, 1234]], last
assert [w.split('GPU ')[1].split(' of')[0] + w.split('Xid')[1][:3] for w in last['warnings']] == ['0000:10:00.0 43', '0000:11:00.0 94', '0000:11:00.0 12'], last" \
    "$scratch/errors"
run "$build/bin/blip_mpi" status "$scratch/errors"
says "last warning"; says "reports Xid"

new_case "an error with which a run fails is told all the same"
cp "$data" "$scratch/torn.h5"
sample=$data data=$scratch/torn.h5
start_train 1 "$scratch/failed" --device cuda --epochs 100000 --no-evaluate
wait_for 60 step_logged "$scratch/failed" 3
reports 10 79
: >"$data"
finish_job 60
data=$sample
is "$status" 65 "exit"
said_once "its driver reports Xid 79 (it no longer answers on the PCI bus): have it and its power checked"

new_case "older drivers, and one that tells little"
rm "$scratch"/gpus/*.xid
is_so 10 "temperature 40" "reasons 0x60"
LD_LIBRARY_PATH=$scratch/old$path train 1 "$scratch/older" "${options[@]}"
exits 0; said_once "is slowed down by heat (sw_thermal_slowdown, hw_thermal_slowdown) at 40 degrees C"
is_so 10 "nothing 1"
train 1 "$scratch/little" "${options[@]}"
exits 0; says_not warning
log_query "assert all(set(e['gpus'][0]) == {'rank', 'host', 'gpu'} for e in events[0] if e['kind'] == 'gpus')" "$scratch/little"

new_case "no library, one that does not start, a GPU that it does not know: a run without, silently"
for without in "LD_LIBRARY_PATH=${path#:}" FAKE_NVML_ERROR=1 FAKE_FIRST_GPU=9; do
    rm -rf "$scratch/none"
    run env "$without" timeout -k 5 240 mpirun -np 2 "$blip" train --data "$data" --output "$scratch/none" "${small[@]}" \
        --micro-batch 2 "${options[@]}"
    exits 0; says_not warning; says_not NVML
    log_query "assert not any(e['kind'] == 'gpus' for e in events[0])" "$scratch/none"
done
is_so 11 "${healthy[@]}"
rm "$scratch/gpus/0000:12:00.0"
FAKE_FIRST_GPU=1 train 2 "$scratch/one" "${options[@]}"    # rank 0 alone is known
exits 0
log_query "assert [[g['rank'] for g in e['gpus']] for e in events[0] if e['kind'] == 'gpus'] == [[0], [0]]" "$scratch/one"

new_case "blip_mpi check tells clocks and heat, and fails where a GPU is slowed down"
mkdir -p "$scratch/installed/bin"    # check draws and packs data by the programs beside it
cp "$bin"/{make_sample,coco_pack} "$blip" "$scratch/installed/bin"
ln -s "$(realpath "$build/torch")" "$scratch/installed/torch"
ln -s "$root/data_prep" "$scratch/data_prep"
blip=$scratch/installed/bin/${blip##*/}
is_so 10 "${healthy[@]}"
run env -C "$scratch" timeout -k 5 200 "$blip" check --device cuda --threads 1
exits 0; says "ok     GPU health"; says "clocks 1905 MHz of 1980 MHz, memory 2619 MHz; 45 degrees C, memory errors since the driver was loaded: 0 uncorrected"
is_so 10 "temperature 93" "reasons 0x40"
run env -C "$scratch" timeout -k 5 200 "$blip" check --device cuda --threads 1
exits 70; says "FAILED GPU health"; says "is slowed down by heat"
summary
