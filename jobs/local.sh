#!/usr/bin/env bash
# Runs blip_mpi on ranks of this machine, so that Ctrl-C costs nothing:
#   jobs/local.sh RANKS train --data coco.h5 --output out ...
# The first Ctrl-C asks the ranks to finish their step and write a checkpoint (exit code 85: run it again to go on), the
# second ends them; so do TERM and a terminal that is closed. mpirun by itself kills the ranks a second after Ctrl-C, in the
# middle of a step that takes longer. MPIRUN= names another mpirun, MPIRUN_OPTIONS= gives it options, BLIP= another program.
# Ends with the program's code.
if ! [ "${1:-0}" -gt 0 ] 2>/dev/null || [ $# -lt 2 ]; then
    sed -n '2,3s/^# //p' "$0" >&2
    exit 64
fi
ranks=$1
shift
home=$(cd "$(dirname "$0")/.." && pwd)
# an installation's and a bundle's programs are in bin/, a bundle's mpirun as well
if [ -z "${BLIP:-}" ]; then
    BLIP=$home/build/bin/blip_mpi
    [ ! -x "$home/bin/blip_mpi" ] || BLIP=$home/bin/blip_mpi
fi
[ -x "$home/bin/mpirun" ] || home=
: "${MPIRUN:=${home:+$home/bin/}mpirun}"
launch_options=()
LAUNCH=mpirun
# shellcheck source=jobs/run_job.sh
. "$(dirname "$0")/run_job.sh" || exit 66
command -v "$MPIRUN" >/dev/null || { echo "MPIRUN=$MPIRUN: no such program" >&2; exit 66; }

pid='' signalled='' asked=0
stop() {
    asked=$((asked + 1))
    signalled=1
    if [ $asked -eq 1 ]; then
        echo "== stopping after this step, with a checkpoint; Ctrl-C once more ends the ranks at once" >&2
        [ -z "$pid" ] || stop_ranks "$pid"
    else
        echo "== ending the ranks" >&2
        [ -z "$pid" ] || kill -TERM "$pid" 2>/dev/null
    fi
}
trap stop INT TERM HUP
# In a process group of its own the terminal's Ctrl-C does not reach mpirun; it may not read from the terminal then.
[ ! -t 0 ] || exec </dev/null
read -ra options <<<"${MPIRUN_OPTIONS:-}"
set -m
"$MPIRUN" "${options[@]}" -np "$ranks" "$BLIP" "$@" &
pid=$!
set +m
watch_ranks "$pid"
