# shellcheck shell=bash
# Sourced by the .sbatch files, which set what a site and a run consist of: loads modules, tries everything out with
# --dry-run, then runs the ranks so that a signal or a time limit costs nothing.
#
#   run_job VERB OPTION...
#
# Slurm sends USR1 (--signal=B:USR1@300) before the time limit, or a preemption does: it is passed on to mpirun, the ranks
# write a checkpoint and end with 85, and the job is put back into the queue. The same script then goes on from there.
run_job() {
    local verb=$1 tries=${SLURM_RESTART_COUNT:-0} signalled='' pid='' code=85 ranks launch profile
    shift
    echo "== job ${SLURM_JOB_ID:-without Slurm}, start $((tries + 1)), $(date '+%F %T'), on ${SLURM_JOB_NODELIST:-$(uname -n)}"
    if [ -n "${MODULES:-}" ]; then
        if ! type module >/dev/null 2>&1; then
            for profile in /etc/profile.d/{lmod,z00_lmod,modules}.sh; do
                # shellcheck disable=SC1090  # the site's
                [ ! -r "$profile" ] || . "$profile"
            done
        fi
        # shellcheck disable=SC2086  # a list of names
        module load $MODULES || return 66
    fi
    ranks=$((NODES * RANKS_PER_NODE))
    read -ra launch <<<"${MPIRUN:-mpirun} ${MPIRUN_OPTIONS:-}"
    # All cores of a node for its ranks together: each takes its share for computing and reading.
    launch+=(-np "$ranks" --map-by "ppr:$RANKS_PER_NODE:node" --bind-to none "$BLIP" "$verb" "$@")

    # shellcheck disable=SC2064,SC2016
    trap 'signalled=1; [ -z "$pid" ] || kill -USR1 "$pid" 2>/dev/null' USR1
    # Wrong paths, shapes and numbers end the job here, in seconds.
    "${launch[@]}" --dry-run || return
    if [ -z "$signalled" ]; then
        "${launch[@]}" &
        pid=$!
        # A signal ends `wait` early; the code that counts is the one of mpirun's end.
        wait "$pid"
        code=$?
        while kill -0 "$pid" 2>/dev/null; do
            wait "$pid"
            code=$?
        done
    fi
    if [ $code -eq 85 ] && [ -n "${SLURM_JOB_ID:-}" ]; then
        echo "== stopped after a checkpoint: back into the queue"
        scontrol requeue "$SLURM_JOB_ID"
    fi
    return $code
}
