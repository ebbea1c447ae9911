#!/usr/bin/env bash
# Prints what the Makefile found: one line per tool or library, with version and path. Called by `make found`.
# Arguments: [--facts] CXX MPICXX TORCH_ROOT HDF5_PKG CUDA_HOME CUDA CUDA_LACKS NCCL_LIB NCCL_INCLUDE CUDART_LIB CUDA_ARCHS
# (empty = not found). --facts: the commit and the versions as a C++ source, for the programs' --version.
# Exit 66 if CUDA is 1 and something for it is missing.
set -u
facts=''
if [ "$1" = --facts ]; then
    facts=1
    shift
fi
line() { # NAME VERSION [PATH]: no version: not found
    if [ -z "$facts" ]; then
        printf '  %-9s %s\n' "$1" "${2:-not found}${2:+${3:+, $3}}"
    elif [ "$1" != cudart ]; then
        printf '"%s %s\\n"\n' "$1" "$(sed 's/["\\]/\\&/g' <<<"${2:-none}")"
    fi
}
cxx=$1 mpicxx=$2 torch=$3 hdf5=$4 cuda=$5 wanted=$6 lacks=$7 nccl=$8 nccl_include=$9 cudart=${10} archs=${11}

if [ -n "$facts" ]; then
    echo '#include "blip/base/version.h"'
    echo 'const char* const blip::build_facts ='
    # a folder above a source archive may be another project's clone
    line commit "$(if [ -e .git ]; then git describe --always --dirty 2>/dev/null; else cat env/release/commit 2>/dev/null; fi)"
fi
line compiler "$($cxx --version 2>/dev/null | head -n 1)"
mpi_path=$(command -v "$mpicxx" || true)
line MPI "${mpi_path:+$($mpicxx --showme:version 2>/dev/null | sed 's/^[^:]*: //; s/ (Language.*//')}" "$mpi_path"
if [ -n "$torch" ]; then
    version=$(sed -n "s/^__version__ = '\(.*\)'/\1/p" "$torch/version.py" 2>/dev/null)
    line LibTorch "${version:-$(cat "$torch/build-version" 2>/dev/null || echo version unknown)}" "$torch"
else
    line LibTorch ''
fi
line HDF5 "$(pkg-config --modversion "$hdf5" 2>/dev/null)" "pkg-config $hdf5"
if [ -n "$facts" ] && { [ "$wanted" = 0 ] || [ -n "$lacks" ]; }; then
    line CUDA ''
    line NCCL ''
elif [ "$wanted" = 0 ]; then
    line CUDA "off (CUDA=0)"
elif [ -n "$lacks" ]; then
    line CUDA "off: not found: $lacks"
    if [ "$wanted" = 1 ]; then
        echo "CUDA=1 asks for CUDA, and this is missing: $lacks. env/setup.sh brings it; a site's own is named by the variable" >&2
        exit 66
    fi
else
    targets="for sm_${archs// / sm_}"
    line CUDA "$("$cuda/bin/nvcc" --version | sed -n 's/.*release \([0-9.]*\),.*/\1/p')${facts:+ $targets}" "$cuda, $targets"
    line NCCL "$(awk '/define NCCL_(MAJOR|MINOR|PATCH) /{v = v s $3; s = "."} END {print v}' "$nccl_include/nccl.h")" "$nccl"
    line cudart "$cudart"
fi
[ -z "$facts" ] || echo ';'
