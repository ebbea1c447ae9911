#!/usr/bin/env bash
# env/gpu_first.sh, laid out as the bundle is, on the pretended CUDA device where the build has one, else on the CPU: so that
# a quarter of an hour with a GPU is not lost to the script itself. Networks and pictures are as small as they can be.
in_memory=1
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
torch=${LIBTORCH:-${BLIP_DEPS:-$HOME/.cache/blip_mpi}/torch-2.11.0-cu130}
program=$(realpath "$build")/tests/blip_mpi_fake_cuda device=cuda
[ -x "$program" ] || program=$bin/blip_mpi device=cpu
layout=$scratch/layout
mkdir -p "$layout"/{bin,tests}
ln -s "$bin"/{coco_pack,make_sample} "$layout/bin/"
cp "$root"/env/{gpu_first.sh,trace_table.py} "$layout/"
cp "$root/tests/tolerances.h" "$layout/tests/"
# In front of the program: fails as $FAILS (an extended regular expression) says, by options and settings.
cat >"$layout/bin/blip_mpi" <<PROGRAM
#!/bin/bash
if [ -n "\${FAILS:-}" ] && [[ "\$* \${TORCH_BLAS_PREFER_CUBLASLT:-0}" =~ \$FAILS ]]; then
    echo "planted: \$FAILS" >&2
    exit 70
fi
exec "$program" "\$@"
PROGRAM
# The device's tests, and PyTorch: what they print.
cat >"$layout/bin/gpu_tests" <<'PROGRAM'
#!/bin/sh
echo "3 passed, 0 failed, 0 skipped"
PROGRAM
chmod +x "$layout"/bin/{blip_mpi,gpu_tests}
mkdir -p "$scratch/python/torch/nn"
echo 'class Module: pass' >"$scratch/python/torch/nn/__init__.py"
touch "$scratch"/python/torch/{__init__,nn/functional}.py
cat >"$layout/bench_torch.py" <<PROGRAM
import importlib.util, sys
spec = importlib.util.spec_from_file_location('bench', '$root/env/bench_torch.py')
bench = importlib.util.module_from_spec(spec)
spec.loader.exec_module(bench)
modes, micros = sys.argv[sys.argv.index('--modes') + 1:sys.argv.index('--micro')], sys.argv[sys.argv.index('--micro') + 1:]
for mode in modes:
    for micro in micros:
        print(bench.describe(mode, 'autocast', int(micro), 0.5 if mode == 'eager' else 0.25, 1.5, 2.25, 10.3))
PROGRAM

# first NAME=VALUE... -- ARGUMENT...: the script with small sizes; its logs go to $scratch/logs
first() {
    local settings=()
    while [ "$1" != -- ]; do
        settings+=("$1")
        shift
    done
    rm -rf "$scratch/logs"
    # shellcheck disable=SC2086
    run ${limit:-} env LIBTORCH="$torch" PYTHONPATH="$scratch/python" DEVICE=$device OMP_NUM_THREADS=1 OUT="$scratch/logs" SIZES=64x48 PICTURES=8 \
        MODEL="tiny --text-hidden 8 --text-heads 1 --text-intermediate 16 --text-layers 1 --vision-width 8 --vision-depth 1 --vision-heads 1 --image-size 32 --threads 1" \
        SMALL="--text-hidden 8 --text-heads 1 --text-intermediate 16 --text-layers 1 --vision-width 8 --vision-depth 1 --vision-heads 1" \
        MICROS="2 4" GLOBAL=8 STEPS=4 BATCHES="2 8" EPOCHS=1 "${settings[@]}" "$layout/gpu_first.sh" "${@:2}"
}
ok() { # NAME...: said to be
    local name
    for name; do grep -q "^ok   $name (" "$output" || fail "not ok: $name"; done
}

new_case "every part answers, and the table has a number in each cell that can have one ($device)"
first --
exits 0; says_not FAIL; says_not "skip "
ok smoke-{bf16,fp32} agree-{cpu,fp32,bf16} agree-real-{cpu,fp32,bf16} "small in fp32" "small in bf16" "tiny in fp32" "tiny in bf16" \
    bench-{2,4} torch-{eager,compile} export captions-{2,8} tests resume-{whole,7,parts} resume profile kernels
says "3 passed, 0 failed, 0 skipped"
says "failed: nothing"; says "kept: nothing"
says "operators of the CPU"
cells='( [0-9]+[.][0-9]+ [|])'
for row in "training, pairs/s .$cells{2}" "PyTorch eager, autocast, pairs/s .$cells{2}" "blip_mpi to PyTorch eager .$cells{2}" \
    "PyTorch compiled, pairs/s .( - .)$cells" "blip_mpi to PyTorch compiled .( - .)$cells" "captions/s .$cells{2}"; do
    grep -qE "^[|] $row\$" "$output" || fail "no row: $row"
done
grep -qE "^[|] $device, LibTorch 2[.]11[.]0[^|]*, tiny, bf16, 8 captions a step [|] micro-batch 2 [|] 4 [|]\$" "$output" || fail "no table"
for log in bench-4.jsonl profile_rank0.json.gz smoke-bf16.log; do [ -s "$scratch/logs/$log" ] || fail "no $log"; done
leaves_nothing_like "${TMPDIR:-/tmp}/tmp.*/large.h5"

new_case "what fails is shown and stops nothing; a setting that helps is kept for what follows"
first FAILS='smoke.*bf16.* 0$|resume-7.* --max-steps 7|--max-steps 7' -- 'smoke|tests|resume'
exits 1
says "FAIL smoke-bf16 (exit 70"; says "     planted: "
ok smoke-bf16-with-1-TORCH_BLAS_PREFER_CUBLASLT smoke-fp32 tests resume-whole
says "kept: TORCH_BLAS_PREFER_CUBLASLT=1"
says "FAIL resume-7 (exit 70"; says "FAIL resume (cmp"
says "failed: smoke-bf16, resume-7, resume"

new_case "bf16 that never runs: speed is that of fp32"
first FAILS='--precision bf16' -- smoke
exits 1; says "kept: --precision fp32"; ok smoke-fp32
says "FAIL smoke-bf16-with-2-TORCH_CUDNN_SDPA_DEPRIORITIZED (exit 70"

new_case "the deadline holds, and each part has its share of it"
cat >"$layout/bin/gpu_tests" <<'PROGRAM'
#!/bin/sh
exec sleep 100
PROGRAM
begin=$SECONDS
first -- --deadline 9 'tests|resume'
exits 1
says "FAIL tests (exit 124, out of time"
says "== resume (at "
[ $((SECONDS - begin)) -lt 25 ] || fail "it took $((SECONDS - begin)) s"

new_case "stopped from outside, it ends what it started and tells what it knows"
limit="timeout 5" first -- 'tests'
exits 124; says "== the end at "; says "| captions/s | - | - |"

new_case "without torch in python3, and what cannot begin"
first PYTHONPATH= -- torch
if python3 -c 'import torch' 2>/dev/null; then
    skip_case "python3 has torch here"
else
    exits 0; says "skip torch (python3 has no torch)"
    first PYTHONPATH= LIBTORCH= -- torch
    exits 66; says "LIBTORCH is not set"
fi
new_case "a wrong option or part"
first -- --deadline soon
exits 64; says "usage: gpu_first.sh"
first -- nothing
exits 64; says "no part matches 'nothing'"
summary
