# shellcheck shell=bash
# Sourced by the scripts of this folder: a Slurm of two nodes on this machine, without systemd, below the script's scratch
# folder and on ports that are free: munged, slurmctld and a slurmd for each node. It leaves nothing running, and
# knows nothing of another Slurm here. Built on tests/support/run_lib.sh, whose cases and runs it shares.
#   start_cluster       or the script ends: skipped where it cannot be had, failed with the daemons' logs where it does not start
#   start_node NAME, kill_node NAME, return_node NAME
#   submit [OPTION...] jobs/SCRIPT [ARGUMENT...]    sbatch, in $scratch; sets $id; of_job ID: another one
#   ends SECONDS STATE [CODE], until_says SECONDS TEXT [TIMES], job_field NAME    of the job $id
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/run_lib.sh"
PATH=$PATH:/usr/sbin:/sbin
# What a job would inherit of this script's or of another Slurm's environment.
while read -r name; do unset "$name"; done < <(compgen -v | grep -E '^(SLURM|SBATCH|SRUN|SALLOC|SQUEUE|SCANCEL|PMIX?)_')
unset BLIP_CHAIN REQUEUE STOP_AFTER_S MODULES MPIRUN MPIRUN_OPTIONS LAUNCH SRUN_OPTIONS NODES RANKS_PER_NODE CONFIG INIT OUTPUT OPTIONS BLIP_HOME CUDA_VISIBLE_DEVICES
cluster=$scratch/cluster
export SLURM_CONF=$cluster/slurm.conf

# free_ports COUNT: ports that nothing listens on
free_ports() {
    python3 -c '
import socket, sys
held = [socket.socket() for _ in range(int(sys.argv[1]))]
for one in held: one.bind(("127.0.0.1", 0))
print(*[one.getsockname()[1] for one in held])' "$1"
}

# Daemons, steps and tasks of this cluster have its SLURM_CONF in their environment: found by that, whatever became of
# their parents.
of_cluster() { # [VARIABLE=VALUE]: pids, those that have this in their environment too
    local file pid
    for file in $(grep -lzxF "SLURM_CONF=$SLURM_CONF" /proc/[0-9]*/environ 2>/dev/null); do
        pid=${file//[!0-9]/}
        [ "$pid" != $$ ] && [ "$pid" != "$BASHPID" ] || continue
        [ -z "${1:-}" ] || grep -qzxF "$1" "$file" 2>/dev/null || continue
        echo "$pid"
    done
}
stop_cluster() {
    local pids file tries
    for file in "$cluster"/*.pid; do
        [ ! -s "$file" ] || kill "$(cat "$file")" 2>/dev/null
    done
    for tries in 1 2 3 4; do
        pids=$(of_cluster)
        [ -n "$pids" ] || break
        # shellcheck disable=SC2086  # a list
        kill -9 $pids 2>/dev/null
        sleep 0.$tries
    done
}
trap 'stop_cluster; rm -rf "$scratch"' EXIT
trap 'exit 70' HUP INT TERM

show_logs() { # LINES [PREFIX]: of each daemon's log
    local file
    for file in "$cluster/log/${2:-}"*; do
        echo "-- ${file##*/}"
        tail -n "$1" "$file"
    done
}
cannot() { # REASON
    [ "${REQUIRE_SLURM:-0}" != 1 ] || broken "no Slurm here: $1"
    skips "Slurm" "$1"
    finish
}
broken() { # WHAT
    echo "FAILED: $1"
    show_logs 40
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
}

# How GPUs are imitated: character devices that nothing opens. Without a right to make them they are only counted.
imitate_gpus() {
    local number
    for number in 0 1 2 3 4 5 6 7; do
        if ! mknod "$cluster/gpu$number" c 1 3 2>/dev/null; then
            echo "Name=gpu Count=8" >"$cluster/gres.conf"
            return
        fi
    done
    export gpu_devices=1
    echo "Name=gpu File=$cluster/gpu[0-7]" >"$cluster/gres.conf"
}
write_conf() {
    local host ports version
    host=$(uname -n)
    host=${host%%.*}
    read -ra ports <<<"$(free_ports 3)"
    version=$(slurmd -V | sed -E 's/[^0-9]*([0-9]+)\.([0-9]+).*/\1\2/')
    # No plugin here uses control groups. slurmd looks for them all the same, unless it is told which kind.
    if [ "$version" -ge 2311 ]; then
        echo "CgroupPlugin=disabled" >"$cluster/cgroup.conf"
    elif [ "$version" -ge 2205 ]; then
        echo "CgroupPlugin=cgroup/v1" >"$cluster/cgroup.conf"
    else
        : >"$cluster/cgroup.conf"
    fi
    imitate_gpus
    cat >"$SLURM_CONF" <<CONF
ClusterName=bliptest
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=${ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$cluster/munge.socket,cred_expire=5
StateSaveLocation=$cluster/state
SlurmdSpoolDir=$cluster/spool/%n
TmpFS=$cluster/tmp/%n
SlurmctldPidFile=$cluster/slurmctld.pid
SlurmdPidFile=$cluster/slurmd-%n.pid
SlurmctldLogFile=$cluster/log/slurmctld
SlurmdLogFile=$cluster/log/slurmd-%n
ProctrackType=proctrack/linuxproc
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
ReturnToService=2
KillWait=2
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
SlurmdParameters=config_overrides
PropagateResourceLimits=NONE
GresTypes=gpu
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=${ports[1]} CPUs=64 Gres=gpu:8 State=UNKNOWN
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=${ports[2]} CPUs=64 Gres=gpu:8 State=UNKNOWN
PartitionName=batch Nodes=n1,n2 Default=YES MaxTime=2-0 State=UP PriorityTier=1 GraceTime=20
PartitionName=urgent Nodes=n1,n2 MaxTime=2-0 State=UP PriorityTier=10 PreemptMode=OFF
CONF
}

# until_true SECONDS COMMAND...: asks five times a second
until_true() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || return 1
        sleep 0.2
    done
}
node_state() { [[ " idle mixed allocated " == *" $(sinfo -h -N -n "$1" -o %T | head -n 1) "* ]]; }
# In the foreground (-D) and in the background of this shell: nothing is written outside the scratch folder.
start_node() {
    slurmd -D -N "$1" -f "$SLURM_CONF" >"$cluster/log/out-$1" 2>&1 &
    disown
}
start_cluster() {
    local name
    [ "$(id -u)" -eq 0 ] || cannot "needs root, or it could not change to the user of a job"
    for name in munged slurmctld slurmd sbatch; do
        command -v $name >/dev/null || cannot "no $name: env/setup.sh --with-slurm installs it where root and apt are"
    done
    mkdir -p "$cluster"/{log,state,spool/n1,spool/n2,tmp/n1,tmp/n2}
    head -c 1024 /dev/urandom >"$cluster/munge.key"
    chmod 400 "$cluster/munge.key"
    write_conf
    munged --force --socket="$cluster/munge.socket" --key-file="$cluster/munge.key" --pid-file="$cluster/munged.pid" \
        --seed-file="$cluster/munge.seed" --log-file="$cluster/log/munged" >"$cluster/log/out-munged" 2>&1 ||
        broken "munged does not start"
    slurmctld -D -c -f "$SLURM_CONF" >"$cluster/log/out-slurmctld" 2>&1 &
    disown
    until_true 30 scontrol ping || broken "slurmctld does not start"
    start_node n1
    start_node n2
    for name in n1 n2; do
        until_true 40 node_state $name || broken "node $name does not come up: $(sinfo -N -h -o '%N %T %E' | tr '\n' ' ')"
    done
}
# return_node NAME: starts a killed node's slurmd, until it has registered. One that is started too soon ends at once.
return_node() {
    local before tries
    before=$(slurmd_since "$1")
    for tries in 1 2 3; do
        start_node "$1"
        until_true 20 registered "$1" "$before" && return
        sleep "$tries"
    done
    fail "node $1 does not come back: $(tail -n 5 "$cluster/log/slurmd-$1")"
}
slurmd_since() { scontrol show node "$1" 2>/dev/null | grep -oE 'SlurmdStartTime=[^ ]*'; }
registered() { [ "$(slurmd_since "$1")" != "$2" ]; }
# kill_node NAME: as if it lost its power: its slurmd, its steps, and all that they had started
kill_node() {
    local pids pid parents=()
    pids=$(of_cluster "SLURMD_NODENAME=$1")
    for pid in $pids; do
        pid=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status" 2>/dev/null)
        [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != slurmstepd ] || parents+=("$pid")
    done
    # shellcheck disable=SC2086  # a list
    kill -9 "$(cat "$cluster/slurmd-$1.pid")" "${parents[@]}" $pids 2>/dev/null
}

# The settings that all jobs here share: two ranks a node, on the CPU. Two nodes on one machine: the only network that they
# have in common is the loopback.
job_settings() {
    export BLIP=$blip BLIP_HOME=$root DATA=$data DEVICE=cpu RANKS_PER_NODE=2 MICRO_BATCH=2
    export MPIRUN_OPTIONS="--mca btl self,tcp --mca btl_tcp_if_include lo --mca oob_tcp_if_include lo"
}
submit() {
    # What env/mpi.sh sets where there is no ssh would keep mpirun to one node.
    id=$(env -C "$scratch" -u OMPI_MCA_plm sbatch --parsable "$@" 2>"$output")
    [[ $id =~ ^[0-9]+$ ]] || fail "sbatch $*: $(cat "$output")"
    of_job "$id"
}
# of_job ID [SUFFIX OF THE JOB'S NAME]: that the others mean
of_job() {
    id=$1 log=$scratch/blip_mpi${2:-}-$1.log
    : >"$output"
}
job_field() { scontrol show job -o "${2:-$id}" 2>/dev/null | head -n 1 | grep -oE "(^| )$1=[^ ]*" | cut -d= -f2-; }
in_state() { [[ " $1 " == *" $(job_field JobState) "* ]]; }
# Copies the job's log to where `says` looks, and says what became of the job and the daemons if this was in vain.
show_job() {
    cat "$log" >"$output" 2>/dev/null
    [ -z "${1:-}" ] || fail "$1; $(scontrol show job -o "$id" 2>&1 | grep -oE '(JobState|Reason|Restarts|ExitCode|NodeList|StartTime)=[^ ]*' | tr '\n' ' ')
log of the job: $(tail -n 25 "$log" 2>&1)
$(show_logs 8 slurm)"
}
# ends SECONDS STATE [CODE]: exit code
ends() {
    local ended="BOOT_FAIL CANCELLED COMPLETED DEADLINE FAILED NODE_FAIL OUT_OF_MEMORY PREEMPTED TIMEOUT"
    until_true "$1" in_state "$ended" || { show_job "job $id did not end within $1 s" && return 1; }
    in_state "$2" || { show_job "the job's end" && return 1; }
    [ $# -lt 3 ] || [ "$(job_field ExitCode)" = "$3:0" ] || { show_job "exit code" && return 1; }
    show_job
}
said() { [ "$(grep -cF -- "$1" "$log" 2>/dev/null)" -ge "${2:-1}" ]; }
until_says() {
    until_true "$1" said "$2" "${3:-1}" || { show_job "did not say within $1 s: $2 (${3:-1} times)" && return 1; }
}
# until_step SECONDS OUTPUT STEP
until_step() {
    until_true "$1" step_logged "$2" "$3" || { show_job "step $3 was not reached within $1 s" && return 1; }
}
