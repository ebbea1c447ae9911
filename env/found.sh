#!/usr/bin/env bash
# Prints what the Makefile found: one line per tool or library, with version and path. Called by `make found`.
# Arguments: CXX MPICXX TORCH_ROOT CUDA_HOME HDF5_PKG (empty = not found).
set -u
line() { printf '  %-9s %s\n' "$1" "${2:-not found}"; }
cxx=$1 mpicxx=$2 torch=$3 cuda=$4 hdf5=$5

line compiler "$($cxx --version 2>/dev/null | head -n 1)"
mpi_path=$(command -v "$mpicxx" || true)
line MPI "${mpi_path:+$($mpicxx --showme:version 2>/dev/null | sed 's/^[^:]*: //; s/ (Language.*//'), $mpi_path}"
if [ -n "$torch" ]; then
    version=$(sed -n "s/^__version__ = '\(.*\)'/\1/p" "$torch/version.py" 2>/dev/null)
    line LibTorch "${version:-$(cat "$torch/build-version" 2>/dev/null || echo version unknown)}, $torch"
else
    line LibTorch
fi
if [ -x "$cuda/bin/nvcc" ]; then
    line CUDA "$("$cuda/bin/nvcc" --version | sed -n 's/.*release \([0-9.]*\),.*/\1/p'), $cuda"
else
    line CUDA
fi
nccl=
for header in "$torch/../nvidia/nccl/include/nccl.h" /usr/include/nccl.h; do
    [ -r "$header" ] || continue
    nccl="$(awk '/define NCCL_(MAJOR|MINOR|PATCH) /{v = v s $3; s = "."} END {print v}' "$header"), $header"
    break
done
line NCCL "$nccl"
version=$(pkg-config --modversion "$hdf5" 2>/dev/null)
line HDF5 "${version:+$version, pkg-config $hdf5}"
