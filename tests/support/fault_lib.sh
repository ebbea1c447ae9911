# shellcheck shell=bash disable=SC2034
# Sourced by the scripts that lose ranks, files or power: what run_lib.sh has, a network so small that its checkpoints
# are a few hundred KB, drawn moments, and file_faults.cpp around a run. What must hold is in README.md beside this.
#   FAULTS=long      more of everything (make test-faults)
#   FAULTS_SEED=N    other draws; it is printed
in_memory=1
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/run_lib.sh"
file_faults=$(realpath "$build")/tests/libfile_faults.so
newest_state=$(realpath "$build")/tests/newest_state
power_loss=$root/tests/faults/files/power_loss.py
# 30,524 rows of 8 make most of it. With the 60 captions of draw_sample 12: 5 steps an epoch.
small=(--model tiny --text-hidden 8 --text-heads 1 --text-intermediate 16 --text-layers 1 --vision-width 8
    --vision-depth 1 --vision-heads 1 --image-size 32 --threads 1 --loader-threads 1 --no-progress --no-peak --init-lr 1e-3
    --global-batch 12)
seed=${FAULTS_SEED:-1}
RANDOM=$seed
is_long() { [ "${FAULTS:-short}" != short ]; }
# by_form SHORT LONG: the one of this form
by_form() { if is_long; then echo "$2"; else echo "$1"; fi; }
# drawn FROM TO: a number from the seed, in $draw (a subshell would draw the same again and again)
drawn() { draw=$(($1 + (RANDOM * 32768 + RANDOM) % ($2 - $1 + 1))); }

# newest OUTPUT: the step of the checkpoint that a run would go on from
newest() { "$newest_state" <<<"$1" 2>/dev/null | grep -o '"step":[0-9a-z]*' | cut -d : -f 2; }

# faulty_train RANKS OUTPUT NAME=VALUE... -- ARGUMENT...: `train` with file_faults.cpp on what lies below OUTPUT (or
# BELOW=), set up by the variables BLIP_FILES_NAME. start_faulty_train: the same in the background, as start_train.
faulty() {
    local how=$1 ranks=$2 out=$3 settings=(-x "LD_PRELOAD=$file_faults") below=$3 limit=(timeout -k 5 240)
    [ "$how" = run ] || limit=() # $job is mpirun itself
    shift 3
    while [ "$1" != -- ]; do
        case $1 in
            BELOW=*) below=${1#*=} ;;
            *) settings+=(-x "BLIP_FILES_$1") ;;
        esac
        shift
    done
    shift
    "$how" "${limit[@]}" mpirun -np "$ranks" "${settings[@]}" -x "BLIP_FILES_BELOW=$below" "$blip" train \
        --data "$data" --output "$out" "${small[@]}" --micro-batch "${micro:-2}" "$@"
}
faulty_train() { faulty run "$@"; }
start_faulty_train() { faulty start "$@"; }
