#!/usr/bin/env bash
# Which device a run takes: --device against what the driver says. The driver is played by a libcuda.so.1 made here, which
# shows as many GPUs as FAKE_GPUS says, or fails with FAKE_CUDA_ERROR; it is of CUDA FAKE_DRIVER, its GPUs of FAKE_ARCH.
# blip_mpi_cuda, where only the start matters, is played by a script.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
driver=$scratch/driver lonely=$scratch/lonely pair=$scratch/pair
mkdir -p "$driver" "$lonely" "$pair"
cat >"$scratch/driver.c" <<'SOURCE'
#include <stdlib.h>
int cuInit(unsigned flags) { const char* error = getenv("FAKE_CUDA_ERROR"); return error ? atoi(error) : (int)flags; }
int cuDeviceGetCount(int* count) { const char* gpus = getenv("FAKE_GPUS"); *count = gpus ? atoi(gpus) : 0; return 0; }
static int number(const char* name) { const char* text = getenv(name); return text ? atoi(text) : 0; }
int cuDriverGetVersion(int* version) { *version = number("FAKE_DRIVER"); return *version == 0; }
int cuDeviceGetAttribute(int* value, int attribute, int gpu) {
    int arch = gpu > 0 && getenv("FAKE_ARCH_1") ? number("FAKE_ARCH_1") : number("FAKE_ARCH");
    *value = attribute == 75 ? arch / 10 : attribute == 76 ? arch % 10 : 0;
    return arch == 0;
}
int cuGetErrorString(int error, const char** text) { *text = "the fake driver's words"; return error == 0; }
SOURCE
ln -s "$(realpath "$build/torch")" "$scratch/torch" # as it lies beside the folder of programs
${CC:-gcc} -shared -fPIC -o "$driver/libcuda.so.1" "$scratch/driver.c" || exit 70
cp "$blip" "$bin/blip_mpi_cpu" "$lonely"
cp "$blip" "$bin/blip_mpi_cpu" "$pair"
cat >"$pair/blip_mpi_cuda" <<'SCRIPT'
#!/bin/sh
echo "started as $0 with: $*; workspace ${CUBLAS_WORKSPACE_CONFIG:-unset}; nccl ${NCCL_ALGO:-free} ${NCCL_PROTO:-free}; $MARK"
SCRIPT
chmod +x "$pair/blip_mpi_cuda"
fake=(env "LD_LIBRARY_PATH=$driver${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" "MARK=environment kept")
gpus=("${fake[@]}" FAKE_GPUS=2)
train=(train --data "$scratch/absent.h5" --output "$scratch/out")
no_driver=(env)
# On a machine with a driver, an empty list hides its GPUs.
if ldconfig -p 2>/dev/null | grep -qF libcuda.so.1; then no_driver=(env CUDA_VISIBLE_DEVICES=); fi

new_case "--device cuda without a GPU: 66, with rank, host, reason and remedy, once"
run "${no_driver[@]}" "$blip" "${train[@]}" --device cuda
exits 66; says "no GPU for rank 0 on $(hostname)"; says "--device cpu"; is "$(wc -l <"$output")" 1 "lines"
run "${no_driver[@]}" mpirun -np 2 "$blip" "${train[@]}" --device cuda
exits 66; said_once "no GPU for rank 0, 1 on $(hostname)"
run "${no_driver[@]}" "$blip" caption --init "$scratch/absent" --device cuda photo.jpg
exits 66; says "no GPU on $(hostname)"; says "--device cpu"

new_case "the reason is the driver's"
run "${fake[@]}" FAKE_CUDA_ERROR=802 "$blip" "${train[@]}" --device cuda
exits 66; says "the fake driver's words (error 802)"
run "${fake[@]}" CUDA_VISIBLE_DEVICES= "$blip" "${train[@]}" --device cuda
exits 66; says "shows no GPU (CUDA_VISIBLE_DEVICES is '')"

new_case "a GPU is there: blip_mpi becomes the blip_mpi_cuda beside it, with its arguments and environment"
for verb in "train --data a.h5" "evaluate --data a.h5 --init b" "caption --init b photo.jpg"; do
    # shellcheck disable=SC2086
    run "${gpus[@]}" "$pair/blip_mpi" $verb
    exits 0; says "started as $pair/blip_mpi_cuda with: $verb; workspace unset; nccl free free; environment kept"
done
run "${gpus[@]}" "$pair/blip_mpi" --data a.h5 --device cuda --deterministic
says "with: --data a.h5 --device cuda --deterministic; workspace :4096:8; nccl Ring Simple; environment kept"
run "${gpus[@]}" CUBLAS_WORKSPACE_CONFIG=:16:8 NCCL_PROTO=LL "$pair/blip_mpi" --data a.h5 --deterministic
says "workspace :16:8; nccl Ring LL"
run env -C "$pair" "${gpus[@]}" ./blip_mpi --data a.h5
says "started as $pair/blip_mpi_cuda"

new_case "what prints and ends stays in blip_mpi; --device cpu, and a machine without a GPU, compute in blip_mpi_cpu"
for arguments in --help --version "--print-config --data a.h5" "--data a.h5 --device cpu"; do
    # shellcheck disable=SC2086
    run "${gpus[@]}" "$pair/blip_mpi" $arguments
    says_not "started as"
done
run "${fake[@]}" "$pair/blip_mpi" --data a.h5
exits 66; says_not "started as"; says a.h5

new_case "a GPU and no blip_mpi_cuda: a warning and the CPU, or 66 with --device cuda"
run "${gpus[@]}" mpirun -np 2 "$lonely/blip_mpi" "${train[@]}"
exits 66; said_once "it computes on the CPU"; says "there is no $lonely/blip_mpi_cuda"; says "$scratch/absent.h5"
run "${gpus[@]}" "$lonely/blip_mpi" "${train[@]}" --device cuda
exits 66; says "there is no $lonely/blip_mpi_cuda"; says "CUDA=1"

new_case "a blip_mpi_cpu that was started by itself says what blip_mpi would have done"
run "${gpus[@]}" "$pair/blip_mpi_cpu" --data a.h5
exits 66; says "it computes on the CPU: this program was built without CUDA; blip_mpi becomes $pair/blip_mpi_cuda"
chmod -x "$pair/blip_mpi_cuda"
run "${gpus[@]}" "$pair/blip_mpi" --data a.h5
exits 66; says "it computes on the CPU: $pair/blip_mpi_cuda cannot be started: Permission denied"

new_case "nothing beside blip_mpi: 66, and what is missing"
rm "$lonely/blip_mpi_cpu"
run "$lonely/blip_mpi" "${train[@]}"
exits 66; says "$lonely/blip_mpi_cpu cannot be started: No such file or directory"
cp "$bin/blip_mpi_cpu" "$lonely"

new_case "ranks that differ: the one without a GPU is named"
run "${fake[@]}" mpirun -np 1 -x FAKE_GPUS=1 "$lonely/blip_mpi" "${train[@]}" --device cuda : \
    -np 1 "$lonely/blip_mpi" "${train[@]}" --device cuda
exits 66; says "rank 0 on $(hostname): this blip_mpi was built without CUDA"; says "rank 1 on $(hostname): the NVIDIA driver shows no GPU"
if [ -x "$bin/blip_mpi_cuda" ]; then
    run "${fake[@]}" mpirun -np 1 -x FAKE_GPUS=1 "$blip" "${train[@]}" : -np 1 "$blip" "${train[@]}"
    exits 66; said_once "some ranks have a GPU, but there is none for rank 1 on $(hostname): the NVIDIA driver shows no GPU"
fi

new_case "a driver or a GPU that is too old: 66 with --device cuda, else a warning and the CPU"
if [ -x "$bin/blip_mpi_cuda" ]; then
    for old in "FAKE_DRIVER=12080|the NVIDIA driver is made for CUDA 12.8, this program for 13." "FAKE_ARCH=75|is older than sm_80"; do
        run "${gpus[@]}" "${old%|*}" "$blip" "${train[@]}" --device cuda
        exits 66; says "no GPU for rank 0 on $(hostname): "; says "${old#*|}"; says "--device cpu"
        run "${gpus[@]}" "${old%|*}" "$blip" "${train[@]}"
        exits 66; says "it computes on the CPU: "; says "${old#*|}"; says "$scratch/absent.h5"
    done
    # the second of two will do, but the first is this rank's
    run "${gpus[@]}" FAKE_ARCH=75 FAKE_ARCH_1=90 "$blip" "${train[@]}"
    exits 66; says "rank 0 on $(hostname): GPU 0 (GPU 0) is older than sm_80"; says "CUDA_VISIBLE_DEVICES can leave it out"
    run "${gpus[@]}" FAKE_DRIVER=13000 FAKE_ARCH=120 "$blip" "${train[@]}" --device cuda
    says_not "is older"; says_not "is made for"
else
    skip_case "built without CUDA"
fi

new_case "blip_mpi_cuda without a GPU computes what blip_mpi_cpu does, bit for bit"
if [ -x "$bin/blip_mpi_cuda" ]; then
    draw_sample 12
    train 1 "$scratch/cpu" --max-steps 3 --no-evaluate --device cpu
    exits 0; says "precision fp32 on cpu"
    blip=$bin/blip_mpi_cuda
    run "${no_driver[@]}" mpirun -np 1 "$blip" --data "$data" --output "$scratch/cuda" "${small[@]}" --micro-batch 2 --max-steps 3 --no-evaluate
    exits 0; says "precision fp32 on cpu"
    same_weights "$scratch/cpu" "$scratch/cuda"
else
    skip_case "built without CUDA"
fi
summary
