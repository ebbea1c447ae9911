#!/bin/bash
# Where jobs may not go back into the queue: submits the same training several times, each to begin when the one before it
# ended without having finished (stopped at its time limit, failed, lost its node). The first that finishes clears the rest.
#   [SETTING=...] jobs/chain.sh COUNT [SBATCH OPTION...] jobs/single_node.sbatch [OPTION OF blip_mpi...]
# Prints the numbers of the jobs. `scancel` with all of them ends the chain; with one, the next one begins. A job that ends
# in a way in which the next would end too (wrong paths or options, a full disk, no progress twice) cancels the rest itself.
set -eu
if ! [ "${1:-0}" -gt 0 ] 2>/dev/null || [ $# -lt 2 ]; then
    sed -n '2,6s/^# //p' "$0" >&2
    exit 64
fi
count=$1 after=()
shift
BLIP_CHAIN=blip_mpi-chain-$(date +%s)-$$ # by which jobs/run_job.sh knows the others
export BLIP_CHAIN
for ((at = 1; at <= count; ++at)); do
    job=$(sbatch --parsable --comment="$BLIP_CHAIN" --no-requeue --kill-on-invalid-dep=yes "${after[@]}" "$@")
    job=${job%%;*} # ID;CLUSTER where there are several clusters
    echo "$job"
    after=(--dependency="afternotok:$job")
done
