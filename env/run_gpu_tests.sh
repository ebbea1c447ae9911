#!/usr/bin/env bash
# What can only be tested with a GPU, for a machine that has one and LibTorch 2.11 for CUDA 13.0, and nothing of what building
# needs. Part of the bundle that `make gpu-first` makes; lies beside its bin/.
#
#   LIBTORCH=/path/to/site-packages REQUIRE_GPU=1 ./run_gpu_tests.sh [PATTERN]     only stages whose name matches
#
# Without REQUIRE_GPU=1 a machine without a GPU skips, aloud; with it that is a failure. The last line is "N passed, N failed,
# N skipped"; exit 1 if anything failed. KEEP=DIR keeps what the runs wrote.
set -u
here=$(cd "$(dirname "$0")" && pwd)
bin=$here/bin pattern=${1:-}
export BOOST_TEST_COLOR_OUTPUT=no BOOST_TEST_CATCH_SYSTEM_ERRORS=yes
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
command -v ssh >/dev/null 2>&1 || export OMPI_MCA_plm=isolated
work=${KEEP:-$(mktemp -d)}
mkdir -p "$work" || exit 74
[ -n "${KEEP:-}" ] || trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0
data=$work/sample.h5
network=(--model tiny --text-hidden 32 --text-heads 2 --text-intermediate 64 --text-layers 2 --vision-width 32 --vision-depth 2
    --vision-heads 2 --image-size 32 --threads 1 --loader-threads 1 --no-progress --init-lr 1e-3 --global-batch 12 --micro-batch 3)

wanted() { [[ $1 =~ $pattern ]]; }
passes() { # NAME COMMAND...: output is shown if it fails
    if "${@:2}" >"$work/said" 2>&1; then
        passed=$((passed + 1))
        echo "ok: $1"
    else
        failed=$((failed + 1))
        echo "FAILED: $1"
        tail -n 60 "$work/said" | sed 's/^/    /'
    fi
}
skips() {
    skipped=$((skipped + 1))
    echo "skipped: $1 ($2)"
}
# needs_gpu NAME: whether to go on with the stage
needs_gpu() {
    [ -n "$no_gpu" ] || return 0
    if [ "${REQUIRE_GPU:-0}" = 1 ]; then
        failed=$((failed + 1))
        echo "FAILED: $1 ($no_gpu)"
    else
        skips "$1" "$no_gpu"
    fi
    return 1
}
train() { # RANKS OUTPUT OPTION...
    timeout -k 5 300 "$bin/mpirun" -np "$1" "$bin/blip_mpi" train --data "$data" --output "$2" "${network[@]}" "${@:3}"
}
# The losses of a run, one "step loss" a line; the last record of a step counts.
losses() { sed -nE 's/.*"kind":"step".*"step":([0-9]+),.*"loss":([0-9.e+-]+).*/\1 \2/p; s/.*"loss":([0-9.e+-]+),.*"kind":"step".*"step":([0-9]+),.*/\2 \1/p' "$1/log.jsonl" | awk '{l[$1] = $2} END {for (s in l) print s, l[s]}' | sort -n; }
tolerance() { sed -n "s/^inline constexpr double $1 = \([^;]*\);.*/\1/p" "$here/tests/tolerances.h"; }
same_losses() { # TOLERANCE STEPS RUN OTHER: relative
    losses "$3" >"$work/a"
    losses "$4" >"$work/b"
    paste "$work/a" "$work/b" | awk -v limit="$1" -v steps="$2" '
        BEGIN {worst = 0}
        {d = $2 / $4 - 1; d = d < 0 ? -d : d; if (d > worst) worst = d; if ($1 != $3 || NF != 4) bad = 1}
        END {print "largest difference of " NR " losses: " worst ", limit " limit; exit bad || NR != steps || !(worst <= limit)}'
}
same_weights() { # RUN OTHER: the last checkpoint's shards, byte for byte
    local last file
    last=$(cd "$1/checkpoints" && find . -maxdepth 1 -name 'step-*' | sort | tail -n 1)
    [ -n "$last" ] || return 1
    for file in "$1/checkpoints/$last"/shard-*.safetensors; do
        cmp "$file" "$2/checkpoints/$last/${file##*/}" || return 1
    done
}

# ---- is there a GPU, as the program itself sees it ---------------------------------------------------------------------
"$bin/blip_mpi" --version
"$bin/blip_mpi" export --from random --model tiny --to "$work/random.safetensors" --overwrite >"$work/said" 2>&1 || {
    rc=$?
    cat "$work/said"
    exit $rc
}
no_gpu=$("$bin/blip_mpi" train --device cuda --data "$here/run_gpu_tests.sh" --dry-run 2>&1 | sed -n 's/.*--device cuda, but no GPU/no GPU/; s/[.] Ask the batch.*//; /^no GPU/p' | head -n 1)
if command -v nvidia-smi >/dev/null && [ -z "$no_gpu" ]; then
    nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader
fi

# ---- device code against its CPU twins ---------------------------------------------------------------------------------
run_gpu_tests() { # COMMAND...: counts the cases of build/tests/gpu
    local p f s rc=0
    timeout -k 10 900 "$@" >"$work/said" 2>&1 || rc=$?
    read -r p f s <<<"$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$work/said" | tail -n 1 | sed -E 's/ (passed|failed|skipped),?//g')"
    if [ -z "${p:-}" ]; then
        p=0 f=1 s=0
    elif [ $rc -ne 0 ] && [ "$f" -eq 0 ]; then
        f=1
    fi
    if [ "${REQUIRE_GPU:-0}" = 1 ]; then
        f=$((f + s)) s=0
    fi
    grep '^skipped: ' "$work/said"
    [ "$f" -eq 0 ] || cat "$work/said"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}
if wanted device-code; then
    echo "== device-code"
    run_gpu_tests "$bin/gpu_tests"
fi
if wanted nccl; then
    echo "== nccl: the communicator by itself"
    gpus=$(nvidia-smi -L 2>/dev/null | grep -c '^GPU')
    for ranks in 1 2 4; do
        if [ $ranks -eq 1 ] || [ "$gpus" -ge $ranks ]; then
            run_gpu_tests "$bin/mpirun" -np $ranks "$bin/nccl_tests"
        elif [ -n "$no_gpu" ]; then
            break # said by the one rank
        elif timeout -k 5 300 "$bin/mpirun" -np $ranks "$bin/nccl_tests" >"$work/said" 2>&1; then
            passes "$ranks ranks on $gpus GPU" true
        else
            tail -n 5 "$work/said" | sed 's/^/    /'
            skips "$ranks ranks" "$gpus GPU, and NCCL refuses to share it"
        fi
    done
fi
if wanted sanitizer; then
    echo "== sanitizer"
    sanitizer=
    for place in "$(command -v compute-sanitizer)" "${CUDA_HOME:-/usr/local/cuda}/bin/compute-sanitizer" /usr/local/cuda*/bin/compute-sanitizer; do
        [ -n "$sanitizer" ] || [ ! -x "$place" ] || sanitizer=$place
    done
    if [ -z "$sanitizer" ]; then
        skips "compute-sanitizer" "the tool is neither on PATH nor in CUDA_HOME/bin nor in /usr/local/cuda*/bin"
    elif needs_gpu "compute-sanitizer"; then
        # A test asks for a device that is not there: the call's error is meant, and counts nowhere. Races are looked for in
        # this program's own kernels: LibTorch's and cuBLAS' would take hours.
        for tool in memcheck racecheck synccheck; do
            own=()
            [ $tool != racecheck ] || own=(--kernel-regex kns=each_index)
            passes "compute-sanitizer $tool" timeout -k 10 900 "$sanitizer" --tool $tool --target-processes all --report-api-errors no \
                --error-exitcode 9 "${own[@]}" "$bin/gpu_tests"
        done
    fi
fi

# ---- the whole program ---------------------------------------------------------------------------------------------------
"$bin/make_sample" --out "$work/coco" --train 24 --val 6 --test 5 >"$work/said" 2>&1 && "$bin/coco_pack" --coco "$work/coco" --out "$data" >>"$work/said" 2>&1 ||
    { cat "$work/said"; echo "$passed passed, $((failed + 1)) failed, $skipped skipped"; exit 1; }
if wanted losses && needs_gpu "losses"; then
    echo "== losses: 20 steps in fp32 on the GPU and on the CPU, the same samples and dropout masks"
    passes "on the CPU" train 1 "$work/cpu" --epochs 2 --no-evaluate --device cpu
    passes "on the GPU" train 1 "$work/gpu" --epochs 2 --no-evaluate --device cuda --precision fp32
    passes "the same losses" same_losses "$(tolerance loss_on_gpu)" 20 "$work/gpu" "$work/cpu"
    sed -n 's/^largest/  largest/p' "$work/said"
fi
if wanted resume && needs_gpu "resume"; then
    echo "== resume: --deterministic, stopped after 7 of 20 steps, then to the end"
    for precision in fp32 bf16; do
        options=(--epochs 2 --no-evaluate --device cuda --deterministic --precision "$precision")
        passes "$precision: undisturbed" train 1 "$work/whole-$precision" "${options[@]}"
        passes "$precision: 7 steps" train 1 "$work/parts-$precision" "${options[@]}" --max-steps 7
        passes "$precision: to the end" train 1 "$work/parts-$precision" "${options[@]}"
        passes "$precision: the same weights, bit for bit" same_weights "$work/parts-$precision" "$work/whole-$precision"
        passes "$precision: the same losses" same_losses 0 20 "$work/parts-$precision" "$work/whole-$precision"
    done
fi
if wanted ranks && needs_gpu "ranks"; then
    gpus=$(nvidia-smi -L 2>/dev/null | grep -c '^GPU')
    for ranks in 2 4; do
        echo "== ranks: $ranks"
        options=(--epochs 2 --no-evaluate --device cuda --precision fp32)
        [ -e "$work/gpu" ] || train 1 "$work/gpu" "${options[@]}" >"$work/said" 2>&1
        if [ "$gpus" -ge $ranks ]; then
            passes "NCCL over $ranks GPUs" train $ranks "$work/np$ranks" "${options[@]}"
        elif timeout -k 5 300 "$bin/mpirun" -np $ranks bash -c 'NCCL_HOSTID=rank$OMPI_COMM_WORLD_RANK exec "$@"' bash \
            "$bin/blip_mpi" train --data "$data" --output "$work/np$ranks" "${network[@]}" "${options[@]}" >"$work/said" 2>&1; then
            passes "NCCL with $ranks ranks on $gpus GPU" true
        else
            tail -n 5 "$work/said" | sed 's/^/    /'
            skips "$ranks ranks" "NCCL refuses to let ranks share one of $gpus devices"
            continue
        fi
        passes "$ranks ranks: the losses of one" same_losses "$(tolerance loss_over_ranks)" 20 "$work/np$ranks" "$work/gpu"
    done
fi
if wanted sample && needs_gpu "sample"; then
    echo "== sample: the demo's data set and recipe on one GPU"
    passes "draw and pack" bash -c '"$1/make_sample" --out "$2/demo" && "$1/coco_pack" --coco "$2/demo" --out "$2/demo.h5"' bash "$bin" "$work"
    for precision in fp32 bf16; do
        out=$work/demo-$precision
        passes "$precision: trains" timeout -k 5 900 "$bin/mpirun" -np 1 "$bin/blip_mpi" train --config "$here/jobs/demo.cfg" \
            --data "$work/demo.h5" --output "$out" --device cuda --precision $precision --no-progress
        passes "$precision: evaluates" "$bin/mpirun" -np 1 "$bin/blip_mpi" evaluate --config "$here/jobs/demo.cfg" --data "$work/demo.h5" \
            --init "$out/best" --split test --output "$out/test" --device cuda --precision $precision --no-progress
        bleu=$(tr -d ' \n' <"$out/test/evaluate.json" | sed -nE 's/.*"Bleu_4":([0-9.e-]+).*/\1/p')
        passes "$precision: Bleu_4 of pictures it has not seen is $bleu, at least $(tolerance demo_bleu_4)" \
            awk -v is="${bleu:-0}" -v least="$(tolerance demo_bleu_4)" 'BEGIN {exit !(is >= least)}'
    done
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
