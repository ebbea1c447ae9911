#!/usr/bin/env bash
# test: quick
# Ranks that were started differently are refused at start-up, once, with the rank and what differs: another build or
# version of the program, another configuration, a command line that only one rank cannot read. (Options, data and missing
# files: train_rank_fails.sh.)
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
draw_sample 24
common=(train --data "$data" --output "$scratch/out" "${small[@]}" --micro-batch 2 --no-evaluate --epochs 1)

# differ FIRST... -- SECOND...: the commands of rank 0 and of rank 1
differ() {
    local first=() begin=$SECONDS
    while [ "$1" != -- ]; do
        first+=("$1")
        shift
    done
    run timeout -k 5 60 mpirun -np 1 "${first[@]}" : -np 1 "${@:2}"
    waited=$((SECONDS - begin))
    [ "$waited" -le 20 ] || fail "it took $waited s"
    leaves_nothing_like "$scratch/out/checkpoints/*"
}

new_case "another version of the program on one rank"
other=$scratch/other/bin # LibTorch is looked for beside it
mkdir -p "$other" && ln -s "$(realpath "$bin/../torch")" "$scratch/other/torch"
cp "$blip" "$other"
sed 's/0\.2\.0/0.1.9/g' "$bin/blip_mpi_cpu" >"$other/blip_mpi_cpu" && chmod +x "$other/blip_mpi_cpu"
differ "$blip" "${common[@]}" -- "$other/blip_mpi" "${common[@]}"
exits 64; said_once "the ranks were started differently"; says "program is 0.1.9 on rank 1, 0.2.0 on rank 0"
said_once "error: "

new_case "another build of the same version on one rank"
python3 - "$bin/blip_mpi_cpu" "$other/blip_mpi_cpu" <<'PYTHON' >"$scratch/.said" 2>&1 || fail "$(cat "$scratch/.said")"
import struct, sys
program = bytearray(open(sys.argv[1], "rb").read())
note = program.index(struct.pack("<III", 4, 20, 3) + b"GNU\0")    # name, content, type: a build id
program[note + 16] ^= 1
open(sys.argv[2], "wb").write(program)
PYTHON
differ "$blip" "${common[@]}" -- "$other/blip_mpi" "${common[@]}"
exits 64; said_once "the ranks were started differently"; says "build of the program is "; says "on rank 1"
differ "$other/blip_mpi" evaluate --data "$data" --init "$scratch/absent" --output "$scratch/out" -- "$blip" evaluate \
    --data "$data" --init "$scratch/absent" --output "$scratch/out"
exits 64; says "build of the program is "

new_case "another configuration file on one rank"
printf 'label-smoothing = 0.1\nkeep = 3\n' >"$scratch/a.cfg"
printf 'label-smoothing = 0.2\nkeep = 3\n' >"$scratch/b.cfg"
differ "$blip" "${common[@]}" --config "$scratch/a.cfg" -- "$blip" "${common[@]}" --config "$scratch/b.cfg"
exits 64; said_once "the ranks were started differently"; says "label-smoothing is 0.2 on rank 1"

new_case "other weights to start from on one rank"
train 1 "$scratch/one" --epochs 1 --no-evaluate --max-steps 1
train 1 "$scratch/two" --epochs 1 --no-evaluate --max-steps 1 --seed 3
differ "$blip" "${common[@]}" --init "$scratch/one" -- "$blip" "${common[@]}" --init "$scratch/two"
exits 64; said_once "the ranks were started differently"; says "init is $scratch/two on rank 1"

new_case "another precision on one rank"
differ "$blip" "${common[@]}" -- "$blip" "${common[@]}" --precision bf16
exits 64; says "precision is bf16 on rank 1"

new_case "an option that only one rank cannot read: that rank is named, none waits"
differ "$blip" "${common[@]}" -- "$blip" "${common[@]}" --epoch 3
exits 64; said_once "error: rank 1: "; says "there is no option --epoch"
differ "$blip" "${common[@]}" --config "$scratch/absent.cfg" -- "$blip" "${common[@]}"
exits 66; said_once "error: rank 0: "; says "absent.cfg"

new_case "one rank evaluates while the other trains"
differ "$blip" "${common[@]}" -- "$blip" evaluate --data "$data" --init "$scratch/one" --output "$scratch/out"
exits 64; said_once "the ranks were started differently"; says "verb is evaluate on rank 1"
summary
