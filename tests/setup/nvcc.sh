#!/usr/bin/env bash
# The CUDA compiler that env/setup.sh installs where a machine has none: compiles for every architecture of the Makefile and
# links with LibTorch's own CUDA runtime, without anything of a CUDA toolkit on the machine.
# shellcheck source=tests/support/shell_test.sh
. "$(dirname "$0")/../support/shell_test.sh"
# shellcheck source=tests/support/hide_lib.sh
. "$(dirname "$0")/../support/hide_lib.sh"
deps=${BLIP_DEPS:-$HOME/.cache/blip_mpi}
toolkit=$deps/nvcc-13.0.88/nvidia/cu13
if [ ! -x "$toolkit/bin/nvcc" ]; then
    skips "nvcc from PyPI" "not installed in $deps: this machine has a CUDA toolkit of its own, or CUDA=0"
    finish
fi
if ! can_hide; then
    skips "nvcc from PyPI" "the machine's CUDA cannot be hidden: no namespaces here (unshare)"
    finish
fi
site=${LIBTORCH:-$deps/torch-2.11.0-cu130}/nvidia
[ -d "$site" ] || site=${LIBTORCH:-}/../nvidia
if [ ! -e "$site/cu13/lib/libcudart.so.13" ]; then
    skips "nvcc from PyPI" "LibTorch is not made of wheels: $site/cu13 is absent"
    finish
fi
cxx=g++
[ "$(g++ -dumpversion | cut -d. -f1)" -ge 12 ] || cxx=g++-12
cat >"$scratch/kernel.cu" <<'CUDA'
#include "blip/base/cuda_launch.cuh"
namespace {
struct Fill {
    float* out;
    __device__ void operator()(std::int64_t i) const { out[i] = static_cast<float>(i); }
};
}    // namespace
void blip::cuda_check(cudaError_t, const char*, std::source_location) {}
int main() {
    int devices = 0;
    if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) return 3;
    float* out = nullptr;
    if (cudaMalloc(&out, 400) != cudaSuccess) return 4;
    blip::launch_each(Fill{out}, 100, nullptr, "fill");
    float last = 0;
    if (cudaMemcpy(&last, out + 99, 4, cudaMemcpyDeviceToHost) != cudaSuccess) return 5;
    return last == 99 ? 0 : 6;
}
CUDA
cat >"$scratch/nccl.cpp" <<'NCCL'
#include <cuda_runtime_api.h>
#include <nccl.h>
int main() {
    int version = 0, runtime = 0;
    return ncclGetVersion(&version) == ncclSuccess && version == NCCL_VERSION_CODE && cudaRuntimeGetVersion(&runtime) == cudaSuccess &&
                   runtime / 1000 == CUDART_VERSION / 1000
               ? 0
               : 1;
}
NCCL
path_without nvcc nvlink ptxas cicc fatbinary
mapfile -t nvccs < <(every_nvcc)
bare() { without /usr/local/cuda "${nvccs[@]}" -- env -u CUDA_HOME -u CPATH -u LIBRARY_PATH -u LD_LIBRARY_PATH PATH="$scratch/path" "$@"; }
compiles() { # ARCH
    bare "$toolkit/bin/nvcc" -std=c++20 -O2 -fmad=false -ccbin $cxx -Iinclude -gencode "arch=compute_$1,code=sm_$1" -c "$scratch/kernel.cu" -o "$scratch/kernel_$1.o"
}
links() { # OBJECT PROGRAM
    bare $cxx "$1" -o "$2" "$site/cu13/lib/libcudart.so.13" "$site/nccl/lib/libnccl.so.2" -Wl,-rpath,"$site/cu13/lib:$site/nccl/lib"
}
from_libtorch() { # PROGRAM: one CUDA runtime, one NCCL, both LibTorch's
    local library
    for library in libcudart libnccl; do
        ldd "$1" | awk -v name="$library" 'index($1, name) == 1 {print $3}' | sed 's|/[^/]*$||' | sort -u >"$scratch/found"
        [ "$(wc -l <"$scratch/found")" -eq 1 ] && grep -qx "$(realpath "$site")/.*\|$site/.*" "$scratch/found" || { ldd "$1" && return 1; }
    done
}
for arch in 80 90 100; do
    passes "compiles for sm_$arch" compiles $arch
    passes "holds code for sm_$arch" grep -aq "sm_$arch" "$scratch/kernel_$arch.o"
done
passes "links with LibTorch's CUDA runtime" links "$scratch/kernel_90.o" "$scratch/kernel"
if nvidia-smi >/dev/null 2>&1; then
    passes "runs" "$scratch/kernel"
else
    passes "without a GPU, the runtime says so" exits_with 3 "" "$scratch/kernel"
fi
# Headers of the toolkit and libraries of LibTorch are of one version.
passes "NCCL's header compiles against this toolkit" bare $cxx -std=c++20 -I"$toolkit/include" -I"$site/nccl/include" -c "$scratch/nccl.cpp" -o "$scratch/nccl.o"
passes "links with LibTorch's NCCL" links "$scratch/nccl.o" "$scratch/nccl"
passes "both come from LibTorch" from_libtorch "$scratch/nccl"
passes "header and library are of one version" "$scratch/nccl"
passes "toolkit and LibTorch bring the same CUDA runtime" cmp "$toolkit/lib/libcudart.so.13" "$site/cu13/lib/libcudart.so.13"
passes "and the same headers of it" cmp "$toolkit/include/cuda_runtime_api.h" "$site/cu13/include/cuda_runtime_api.h"
finish
