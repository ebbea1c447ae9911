#!/usr/bin/env bash
# test: timed
# Cores and threads of real ranks: bound by mpirun, bound by taskset in unequal parts, not bound, too many of them. (The rules
# for clusters that this machine is not: tests/unit/app/affinity_test.cpp.)
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
draw_sample 12
cores=$(nproc)
dry() { # MPIRUN'S ARGUMENTS... -- THE PROGRAM'S...
    local launch=()
    while [ "$1" != -- ]; do launch+=("$1") && shift; done
    run timeout 60 mpirun "${launch[@]}" "$blip" train --data "$data" --output "$scratch/none" "${shape[@]}" \
        --global-batch 12 --micro-batch 2 --dry-run "${@:2}"
    exits 0
}
bound_warning="bound to one core"
threads_warning="compute threads share"

new_case "not bound: the ranks share the cores"
dry -np 1 --bind-to none --
says "(1 rank, $cores cores each may use)"; says "$cores compute and "; says_not "$bound_warning"; says_not "$threads_warning"
dry -np 2 --bind-to none --oversubscribe --
says "(2 ranks, $cores cores each may use)"; says "$((cores / 2 > 0 ? cores / 2 : 1)) compute and "; says_not "$bound_warning"

new_case "a rank for each core, bound to it: one thread each, nothing to warn of"
if [ "$cores" -gt 1 ]; then
    dry -np "$cores" --bind-to core --
    says "($cores ranks, 1 cores each may use)"; says "1 compute and "; says_not "$bound_warning"; says_not "$threads_warning"
else
    skip_case "this machine has one core"
fi

new_case "fewer ranks than cores, each bound to one: warned once for all of them, with their numbers and the remedy"
if [ "$cores" -gt 1 ]; then
    dry -np 1 --bind-to core --
    says "1 compute and "
    said_once "rank 0 on $(uname -n): bound to one core of the $cores there; mpirun --bind-to none"
    dry -np 2 --bind-to none taskset -c 0 --
    said_once "ranks 0-1 on $(uname -n): bound to one core each of the $cores there"
    said_once "ranks 0-1 on $(uname -n): 2 compute threads share 1 core"
else
    skip_case "this machine has one core"
fi

new_case "bound unevenly: each rank counts its own cores, and the one with a single core is named"
if [ "$cores" -gt 1 ]; then
    cat >"$scratch/uneven.sh" <<'SCRIPT'
[ "$OMPI_COMM_WORLD_RANK" != 1 ] || exec taskset -c 0 "$@"
exec "$@"
SCRIPT
    dry -np 2 --bind-to none --oversubscribe bash "$scratch/uneven.sh" --
    says "(2 ranks, 1 to $cores cores each may use)"
    said_once "rank 1 on $(uname -n): bound to one core of the $cores there"
else
    skip_case "this machine has one core"
fi

new_case "more threads than cores: warned, with the numbers"
dry -np 2 --bind-to none --oversubscribe -- --threads $((cores + 1))
said_once "ranks 0-1 on $(uname -n): $((2 * cores + 2)) compute threads share $cores core"
says "$((cores + 1)) compute and "

new_case "caption counts the cores it is bound to"
train 1 "$scratch/run" --epochs 1
exits 0
run env OMP_DISPLAY_ENV=false taskset -c 0 "$blip" caption --init "$scratch/run/best" "$scratch/coco/val2014"
exits 0
summary
