# shellcheck shell=bash
# Sourced by the job scripts, which set what a site and a run consist of: loads modules, tries everything out with
# --dry-run, then runs the ranks so that a signal or a time limit costs nothing.
#
#   run_job VERB OPTION...
#
# Slurm sends USR1 (--signal=B:USR1@300) before the time limit, or a preemption does; elsewhere STOP_AFTER_S counts the
# seconds. It is passed on to the ranks, they write a checkpoint and end with 85, and the job is put back into the queue. The
# same script then goes on from there. So it does when the launcher ends with a code that is not the program's, as it does
# when a node is lost. Starts that leave neither a newer checkpoint nor a newer evaluation are counted in OUTPUT/.run_job: the
# second in a row is the last. With --dry-run among the options it ends after the trial; outside a job one process makes that
# trial, on the CPU if need be.
# A script may set the arrays launch_options (of mpirun) and resubmit (the command that submits the job again).

# number_of NAME OPTION...: what the options give last, else CONFIG; NAME may be a pattern
number_of() {
    { sed -nE "/^ *$1 *=/s/^[^=]*= *([0-9]+).*/\1/p" "$CONFIG" && grep -oE -e "--$1[ =][0-9]+" <<<"${*:2}"; } 2>/dev/null |
        grep -oE '[0-9]+$' | tail -n 1
}
# fit_micro_batch OPTION...: sets MICRO_BATCH, if it is empty, to CONFIG's or 32; halves it until every rank of a step has
# work, as long as it counts whole pictures.
fit_micro_batch() {
    local global places
    : "${MICRO_BATCH:=$(number_of micro-batch)}"
    : "${MICRO_BATCH:=32}"
    global=$(number_of global-batch "$@")
    places=$(number_of '(captions|samples)-per-picture' "$@")
    while [ $((MICRO_BATCH * NODES * RANKS_PER_NODE)) -gt "${global:-256}" ] && [ $((MICRO_BATCH % (2 * ${places:-1}))) -eq 0 ]; do
        MICRO_BATCH=$((MICRO_BATCH / 2))
    done
}
# The ranks' command without the program, in the array `launch`.
set_launch() {
    local ranks=$((NODES * RANKS_PER_NODE))
    case ${LAUNCH:-mpirun} in
        mpirun)
            read -ra launch <<<"${MPIRUN:-mpirun} ${MPIRUN_OPTIONS:-}"
            # All cores of a node for its ranks together: each takes its share for computing and reading.
            launch+=("${launch_options[@]}" -np "$ranks" --map-by "ppr:$RANKS_PER_NODE:node" --bind-to none)
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
# Wrong settings are named here, not when the job's turn comes. Sets `launch`.
check_settings() {
    local name
    for name in NODES RANKS_PER_NODE; do
        [[ ${!name} =~ ^[1-9][0-9]*$ ]] || { echo "$name=${!name}: a whole number from 1 is needed" >&2; return 64; }
    done
    [ -x "$BLIP" ] || command -v "$BLIP" >/dev/null || {
        echo "BLIP=$BLIP: no such program; make build makes it, BLIP_HOME= says where it is" >&2
        return 66
    }
    set_launch || return
    command -v "${launch[0]}" >/dev/null && return
    echo "${launch[0]}: no such program; LAUNCH= and MPIRUN= say what starts the ranks, MODULES= what brings it" >&2
    return 66
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
    type module >/dev/null 2>&1 || { echo "MODULES=$MODULES: this host has no command module" >&2; return 66; }
    # shellcheck disable=SC2086  # a list of names
    module load $MODULES
}
# What puts the job back into the queue, in the array `requeue`; empty where that is for a person to do.
set_requeue() {
    requeue=()
    if [ -n "${REQUEUE:-}" ]; then
        read -ra requeue <<<"$REQUEUE"
    elif [ -n "${resubmit[*]}" ]; then
        requeue=("${resubmit[@]}")
    elif [ -n "${SLURM_ARRAY_TASK_ID:-}" ]; then
        # The last of an array has the number of the array: requeueing that would end the others.
        requeue=(scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID")
    elif [ -n "${SLURM_JOB_ID:-}" ]; then
        requeue=(scontrol requeue "$SLURM_JOB_ID")
    fi
}

# The newest of a run's checkpoints (their folders have another name until they are whole) and evaluations.
newest_checkpoint() {
    local manifest
    manifest=$(newest "$1"/checkpoints/step-*/manifest.json)
    manifest=${manifest%/manifest.json}
    echo "${manifest##*/}"
}
newest_evaluation() { newest "$1"/evaluations/epoch-*.json; }
newest() { # FILE...: by the number in its name, of those that are there and not empty
    local file
    for file in "$@"; do
        [ ! -s "$file" ] || echo "$file"
    done | sort -V | tail -n 1
}

# Starts without progress in a row are counted below OUTPUT, for a job, a chain of jobs, or one that submits itself again.
# read_record OUTPUT: sets recorded_key and fruitless
read_record() {
    recorded_key='' fruitless=0
    [ ! -r "$1/.run_job" ] || read -r recorded_key fruitless <"$1/.run_job"
    [[ $fruitless =~ ^[0-9]+$ ]] || fruitless=0
}
write_record() { mkdir -p "$1" && echo "$2 $3" >"$1/.run_job"; } 2>/dev/null

# A node of the job is down, or does not answer: Slurm marks that by a star.
node_lost() {
    [ -n "${SLURM_JOB_NODELIST:-}" ] &&
        sinfo -h -N -n "$SLURM_JOB_NODELIST" -o %T 2>/dev/null | grep -qE '^(down|fail|error|unknown|no_respond)|\*$'
}
# What comes after this job of a chain (chain.sh) would end as this one did.
end_chain() {
    local others
    [ -n "${BLIP_CHAIN:-}" ] || return 0
    others=$(squeue -h -u "$(id -un)" -t PENDING -o '%i %k' | awk -v chain="$BLIP_CHAIN" '$2 == chain { print $1 }')
    # shellcheck disable=SC2086  # a list of numbers
    [ -z "$others" ] || ! scancel $others || echo "== the rest of the chain is cancelled: it would end in the same way"
}

# stop_ranks PID: of the launcher, which hands the signal on; `flux run` would not, and in a batch job all jobs are ours
stop_ranks() {
    if [ "${LAUNCH:-}" = flux ]; then
        flux job killall --force --signal=SIGUSR1
    else
        kill -USR1 "$1"
    fi
} 2>/dev/null
# watch_ranks PID: to its end, which is the code returned
watch_ranks() {
    local pid=$1 timer='' tick
    if [ -n "${STOP_AFTER_S:-}" ]; then
        # One process, and nothing of it stays: `read` waits for what nobody writes.
        (
            read -rt $((STOP_AFTER_S - SECONDS > 0 ? STOP_AFTER_S - SECONDS : 0)) <> <(:)
            kill -USR1 $$
        ) </dev/null >/dev/null 2>&1 &
        timer=$!
        disown "$timer"
    fi
    # A signal ends `wait` early. A launcher that is only beginning loses what it is sent: it is told again until it ends.
    while kill -0 "$pid" 2>/dev/null; do
        if [ -z "$signalled" ]; then
            wait "$pid"
        else
            stop_ranks "$pid"
            for ((tick = 0; tick < 25; ++tick)); do
                kill -0 "$pid" 2>/dev/null || break
                sleep 0.2
            done
        fi
    done
    [ -z "$timer" ] || kill "$timer" 2>/dev/null
    wait "$pid"
}

# after_end CODE: says what became of this start, puts the job back into the queue where that helps; the code to end with.
# Uses run_job's variables.
after_end() {
    local code=$1 checkpoint how again='' progress='' why
    checkpoint=$(newest_checkpoint "$output")
    # step-00000120.1 is step 120 once more
    if [ "${checkpoint%.*}" != "${checkpoint_before%.*}" ] || [ "$(newest_evaluation "$output")" != "$evaluation_before" ]; then
        progress=1
    fi
    case $code in
        0 | 64 | 65 | 66 | 74) ;; # finished, or another start would end in the same way
        85) again=1 ;;
        70) [ -z "$signalled" ] && ! node_lost || again=1 ;;
        *) again=1 ;; # the launcher's own, or a signal's: a node is gone, or the ranks were killed
    esac
    if [ -z "$again" ]; then
        [ -z "$job" ] || rm -f "$output/.run_job"
        case $code in 64 | 65 | 66 | 74) end_chain ;; esac
        return "$code"
    fi
    how="ended with $code${signalled:+ after the signal to stop}"
    if [ "$verb" != train ] && { [ -n "$signalled" ] || [ "$code" -eq 85 ]; }; then
        echo "== $how: $verb keeps nothing between starts, so the job does not go back into the queue: submit it with a longer --time"
        return 85
    fi
    if [ "$checkpoint" != "$checkpoint_before" ]; then
        how+=", after checkpoint $checkpoint"
    else
        how+=", without a new checkpoint (${checkpoint:-none} is the newest)"
    fi
    [ -n "$job" ] || { echo "== $how"; return "$code"; }
    if [ -n "$progress" ]; then
        fruitless=0
        [ -z "$signalled" ] || code=85
    else
        fruitless=$((fruitless + 1))
    fi
    if [ "$fruitless" -ge 2 ] || ! { write_record "$output" "$key" "$fruitless" || [ -n "$progress" ]; }; then
        rm -f "$output/.run_job"
        why="the ranks crash, or cannot be started: see above"
        [ -z "$signalled" ] || why="loading and a step take longer than there is: a longer --time, or a --signal that leaves more before the end"
        echo "== $how. That is the second start without progress: the job does not go back into the queue. $why"
        end_chain
        return "$code"
    fi
    set_requeue
    # A job that is being cancelled dies here, rather than go back.
    [ -n "$signalled" ] || sleep 2
    # Slurm ends this script as soon as it has put the job back: what it says of that should still be heard.
    trap '' TERM
    if [ ${#requeue[@]} -gt 0 ] && "${requeue[@]}"; then
        echo "== $how: back into the queue"
    else
        echo "== $how: does not go back into the queue by itself: submit the same line again (jobs/chain.sh does)"
    fi
    return "$code"
}

run_job() {
    local signalled='' pid='' code=85 tries=${SLURM_RESTART_COUNT:-0} trial='' verb=$1 argument launch requeue
    local output='' checkpoint_before evaluation_before recorded_key fruitless key previous=''
    trap 'signalled=1; [ -z "$pid" ] || stop_ranks "$pid"' USR1
    shift
    local job=${SLURM_JOB_ID:-${PBS_JOBID:-${FLUX_JOB_ID:-}}}
    echo "== job ${job:-without a queue}, start $((tries + 1)), $(date '+%F %T'), on ${SLURM_JOB_NODELIST:-$(uname -n)}"
    load_modules || return 66
    for argument in "$@"; do
        [ "$argument" != --dry-run ] || trial=1
        [ "$previous" != --output ] || output=$argument
        [[ $argument != --output=* ]] || output=${argument#*=}
        previous=$argument
    done
    if [ -n "$trial" ] && [ -z "$job" ]; then
        check_settings || return
        # A login node: no GPUs, and no place for many ranks, but what each of them will do can be told.
        [ "$verb" != train ] || set -- "$@" --ranks $((NODES * RANKS_PER_NODE))
        for argument in "$@"; do
            shift
            [ "$argument" != "${DEVICE:-cuda}" ] || argument=auto
            set -- "$@" "$argument"
        done
        "$BLIP" "$verb" "$@"
        return
    fi
    check_settings || return
    # Wrong paths, shapes and numbers end the job here, in seconds.
    if [ -n "$trial" ]; then
        "${launch[@]}" "$BLIP" "$verb" "$@"
        return
    fi
    key=${BLIP_CHAIN:-${SLURM_JOB_ID:-any}}
    read_record "$output"
    if [ "$recorded_key" != "$key" ]; then
        fruitless=0
    elif [ "$key" != any ]; then
        # The folder is not empty because of this job's earlier starts.
        for argument in "$@"; do
            shift
            [ "$argument" = --fresh ] || set -- "$@" "$argument"
        done
    fi
    checkpoint_before=$(newest_checkpoint "$output")
    evaluation_before=$(newest_evaluation "$output")
    "${launch[@]}" "$BLIP" "$verb" "$@" --dry-run || { after_end $?; return; }
    if [ -z "$signalled" ]; then
        "${launch[@]}" "$BLIP" "$verb" "$@" &
        pid=$!
        watch_ranks "$pid"
        code=$?
        pid=''
    fi
    after_end $code
}
