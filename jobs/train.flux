#!/bin/bash
# Trains on the GPUs of several nodes under Flux, one rank each:  flux batch -N 4 jobs/train.flux   (from the folder that holds
# jobs/). Not yet run under Flux: only its shell and run_job.sh are tested. `flux run` needs the plugin flux-pmix.
# Five minutes before the time limit, for which Flux is asked, the ranks write a checkpoint, and the job submits itself again.
#flux: --job-name=blip_mpi
#flux: -N 2
#flux: --exclusive
#flux: --time-limit=24h
#flux: --output=blip_mpi-{{id}}.log

# ---- the site and the run: edit, or set in the environment; see also the lines above ----
: "${MODULES:=}"                                      # e.g. "gcc/12 openmpi/4.1 hdf5 cuda/13.0"
# the folder that holds jobs/: this script's, or where it was submitted, as queues run a copy of it
: "${BLIP_HOME:=$([ -e "$(dirname "$0")/run_job.sh" ] && cd "$(dirname "$0")/.." && pwd || echo "$PWD")}"
: "${BLIP:=$BLIP_HOME/build/bin/blip_mpi}"
: "${LAUNCH:=flux}"
: "${FLUX_OPTIONS:=}"
: "${NODES:=$(flux getattr size 2>/dev/null || echo 2)}"
: "${RANKS_PER_NODE:=8}"                             # GPUs of a node
: "${CONFIG:=$BLIP_HOME/jobs/caption_coco.cfg}"       # or caption_coco_large.cfg
: "${DATA:=coco.h5}"                                  # made by coco_pack
: "${INIT:=model_base_capfilt_large.pth}"            # weights to start from
: "${OUTPUT:=out}"
: "${MICRO_BATCH:=}"                                  # if empty CONFIG's; halved until every rank of a step has work
: "${DEVICE:=cuda}"                                   # a node without GPUs ends the job; cpu or auto compute there
: "${OPTIONS:=}"                                      # further options of blip_mpi, e.g. "--epochs 6"; as are arguments

if [ -z "${STOP_AFTER_S:-}" ] && left=$(flux job timeleft 2>/dev/null); then
    STOP_AFTER_S=$((left - 300))
fi
: "${REQUEUE:=}"                                      # instead of the command below, e.g. false
resubmit=(flux --parent batch -N "$NODES" "$BLIP_HOME/jobs/train.flux" "$@")

# shellcheck source=jobs/run_job.sh
. "$BLIP_HOME/jobs/run_job.sh" || exit 66
# shellcheck disable=SC2086  # a list of options
fit_micro_batch $OPTIONS "$@"
# shellcheck disable=SC2086  # a list of options
run_job train --config "$CONFIG" --data "$DATA" --init "$INIT" --output "$OUTPUT" --micro-batch "$MICRO_BATCH" --device "$DEVICE" $OPTIONS "$@"
