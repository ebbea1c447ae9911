# shellcheck shell=bash
# Sourced by the job scripts, which set what a site and a run consist of: loads modules, tries everything out with
# --dry-run, then runs the ranks so that a signal or a time limit costs nothing.
#
#   run_job VERB OPTION...
#
# Slurm sends USR1 (--signal=B:USR1@300) before the time limit, or a preemption does; elsewhere STOP_AFTER_S counts the
# seconds. It is passed on to the ranks, they write a checkpoint and end with 85, and the job is put back into the queue. The
# same script then goes on from there. With --dry-run among the options it ends after the trial; outside a job one process
# makes that trial, on the CPU if need be.

# The ranks' command without the program, in the array `launch`.
set_launch() {
    local ranks=$((NODES * RANKS_PER_NODE))
    case ${LAUNCH:-mpirun} in
        mpirun)
            read -ra launch <<<"${MPIRUN:-mpirun} ${MPIRUN_OPTIONS:-}"
            # All cores of a node for its ranks together: each takes its share for computing and reading.
            launch+=(-np "$ranks" --map-by "ppr:$RANKS_PER_NODE:node" --bind-to none)
            ;;
        srun)
            # Every rank sees all GPUs of the step unless told otherwise. Slurm 22.05 takes "none", which a job hands down, to
            # mean that it need not say which ones, and on a shared node ranks would see those of others.
            unset SLURM_GPU_BIND
            # Steps do not take over what a job asked for per task; a rank that fails ends the others.
            read -ra launch <<<"srun --mpi=${SRUN_MPI:-pmix} --kill-on-bad-exit=1 --cpu-bind=none ${SRUN_OPTIONS:-}"
            launch+=(--nodes="$NODES" --ntasks="$ranks" --ntasks-per-node="$RANKS_PER_NODE" --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}")
            ;;
        flux)
            read -ra launch <<<"flux run -o pmi=${FLUX_PMI:-pmix} -o cpu-affinity=off -o gpu-affinity=off ${FLUX_OPTIONS:-}"
            launch+=(-N "$NODES" -n "$ranks")
            ;;
        *)
            echo "LAUNCH=$LAUNCH: one of mpirun, srun, flux" >&2
            return 64
            ;;
    esac
}
load_modules() {
    local profile
    [ -n "${MODULES:-}" ] || return 0
    if ! type module >/dev/null 2>&1; then
        for profile in /etc/profile.d/{lmod,z00_lmod,modules}.sh; do
            # shellcheck disable=SC1090  # the site's
            [ ! -r "$profile" ] || . "$profile"
        done
    fi
    # shellcheck disable=SC2086  # a list of names
    module load $MODULES
}
# What puts the job back into the queue, or nothing where that is for a person to do.
requeue_command() {
    if [ -n "${REQUEUE:-}" ]; then
        echo "$REQUEUE"
    elif [ -n "${SLURM_ARRAY_TASK_ID:-}" ]; then
        # The last of an array has the number of the array: requeueing that would end the others.
        echo "scontrol requeue ${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
    elif [ -n "${SLURM_JOB_ID:-}" ]; then
        echo "scontrol requeue $SLURM_JOB_ID"
    fi
}

# stop_ranks PID: of the launcher, which hands the signal on; `flux run` would not, and in a batch job all jobs are ours
stop_ranks() {
    if [ "${LAUNCH:-}" = flux ]; then
        flux job killall --force --signal=SIGUSR1
    else
        kill -USR1 "$1"
    fi
}
run_job() {
    local signalled='' pid='' timer='' code=85 tries=${SLURM_RESTART_COUNT:-0} trial='' verb=$1 argument launch requeue
    trap 'signalled=1; [ -z "$pid" ] || stop_ranks "$pid" 2>/dev/null' USR1
    shift
    local job=${SLURM_JOB_ID:-${PBS_JOBID:-${FLUX_JOB_ID:-}}}
    echo "== job ${job:-without a queue}, start $((tries + 1)), $(date '+%F %T'), on ${SLURM_JOB_NODELIST:-$(uname -n)}"
    load_modules || return 66
    for argument in "$@"; do [ "$argument" != --dry-run ] || trial=1; done
    if [ -n "$trial" ] && [ -z "$job" ]; then
        # A login node: no GPUs, and no place for many ranks.
        for argument in "$@"; do
            shift
            [ "$argument" != "${DEVICE:-cuda}" ] || argument=auto
            set -- "$@" "$argument"
        done
        "$BLIP" "$verb" "$@"
        return
    fi
    set_launch || return
    # Wrong paths, shapes and numbers end the job here, in seconds.
    if [ -n "$trial" ]; then
        "${launch[@]}" "$BLIP" "$verb" "$@"
        return
    fi
    "${launch[@]}" "$BLIP" "$verb" "$@" --dry-run || return
    if [ -z "$signalled" ]; then
        "${launch[@]}" "$BLIP" "$verb" "$@" &
        pid=$!
        if [ -n "${STOP_AFTER_S:-}" ]; then
            { sleep $((STOP_AFTER_S - SECONDS > 0 ? STOP_AFTER_S - SECONDS : 0)) && kill -USR1 $$; } 2>/dev/null &
            timer=$!
        fi
        # A signal ends `wait` early; the code that counts is the one of the end.
        wait "$pid"
        code=$?
        while kill -0 "$pid" 2>/dev/null; do
            wait "$pid"
            code=$?
        done
        [ -z "$timer" ] || kill "$timer" 2>/dev/null
    fi
    # A launcher that the signal killed at its own start, or that killed ranks which had finished: nothing is lost by that.
    case $code in
        0 | 64 | 65 | 66) signalled='' ;;
    esac
    if [ -n "$signalled" ] && [ $code -ne 85 ]; then
        echo "== ended with $code after the signal to stop: the newest checkpoint stands"
        code=85
    fi
    if [ $code -eq 85 ] && [ -n "$job" ]; then
        requeue=$(requeue_command)
        [ -z "$requeue" ] || echo "== stopped after a checkpoint: back into the queue"
        # shellcheck disable=SC2086  # a command
        [ -n "$requeue" ] && $requeue ||
            echo "== stopped after a checkpoint, and does not go back into the queue by itself: submit the same line again (jobs/chain.sh does)"
    fi
    return $code
}
