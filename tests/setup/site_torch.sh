#!/usr/bin/env bash
# A site's own LibTorch, LIBTORCH=: both layouts are taken and nothing is downloaded; a wrong one is refused with the reason.
# Made of links to the installed LibTorch.
# shellcheck source=tests/support/shell_test.sh
. "$(dirname "$0")/../support/shell_test.sh"
deps=${BLIP_DEPS:-$HOME/.cache/blip_mpi}
site=${LIBTORCH:-$deps/torch-2.11.0-cu130}
torch=$site/torch
[ -e "$torch/include" ] || torch=$site
if ! env/setup.sh --check >/dev/null 2>&1; then
    skips "a site's LibTorch" "this machine itself lacks something: env/setup.sh"
    finish
fi
export BLIP_DEPS=$scratch/deps # empty: what is downloaded or used from there would show
export CUDA=0                  # the compiler for it is another matter
cxx=g++
[ "$(g++ -dumpversion | cut -d. -f1)" -ge 12 ] || cxx=g++-12

mkdir -p "$scratch/wheel" "$scratch/zip"
ln -s "$(realpath "$torch")" "$scratch/wheel/torch"
[ ! -e "$torch/../nvidia" ] || ln -s "$(realpath "$torch/../nvidia")" "$scratch/wheel/nvidia"
ln -s "$(realpath "$torch/include")" "$(realpath "$torch/lib")" "$scratch/zip"
echo 2.11.0+cu130 >"$scratch/zip/build-version"
cat >"$scratch/program.cpp" <<'PROGRAM'
#include <ATen/Parallel.h>
#include <c10/core/ScalarType.h>
#include <torch/headeronly/version.h>
#include <cstdio>
int main() {
    at::set_num_threads(1);
    std::printf("%d.%d %s %d\n", TORCH_VERSION_MAJOR, TORCH_VERSION_MINOR, c10::toString(c10::ScalarType::Float), at::get_num_threads());
}
PROGRAM
compiles() { # ROOT: as the Makefile does
    $cxx -std=c++20 -idirafter "$1/include" "$scratch/program.cpp" -o "$scratch/program" -L"$1/lib" -Wl,-rpath,"$1/lib" -ltorch_cpu -lc10 &&
        exits_with 0 "2.11 Float 1" "$scratch/program"
}
nothing_downloaded() { [ ! -e "$BLIP_DEPS" ]; }
found() { make --no-print-directory found BUILD="$scratch/build" LIBTORCH="$1"; }
for layout in wheel wheel/torch zip; do
    root=$scratch/$layout
    [ $layout != wheel ] || root+=/torch
    passes "$layout: ready" exits_with 0 "ready (LibTorch in $scratch/$layout)" env LIBTORCH="$scratch/$layout" env/setup.sh
    passes "$layout: --check" exits_with 0 "nothing is missing" env LIBTORCH="$scratch/$layout" env/setup.sh --check
    passes "$layout: the Makefile finds it" exits_with 0 "2.11" found "$scratch/$layout"
    passes "$layout: and calls it by its path" grep -q "LibTorch .*, $root\$" "$scratch/.output"
    passes "$layout: compiles, links and runs" compiles "$root"
done
passes "nothing was downloaded" nothing_downloaded

# wrong NAME TEXT: LIBTORCH=$scratch/bad is refused with these words
wrong() {
    passes "$1" exits_with 66 "$2" env LIBTORCH="$scratch/bad" env/setup.sh
    passes "$1, --check" exits_with 66 "$2" env LIBTORCH="$scratch/bad" env/setup.sh --check
    rm -rf "$scratch/bad"
}
wrong "no such directory" "LIBTORCH=$scratch/bad holds no include/ATen/core/Tensor.h"
mkdir -p "$scratch/bad/torch"
ln -s "$(realpath "$torch/lib")" "$scratch/bad/torch/lib"
wrong "libraries without headers" "holds no include/ATen/core/Tensor.h"
version_of() { # MAJOR MINOR PATCH
    mkdir -p "$scratch/bad/include/ATen/core" "$scratch/bad/include/torch/headeronly"
    : >"$scratch/bad/include/ATen/core/Tensor.h"
    printf '#define TORCH_VERSION_%s\n' "MAJOR $1" "MINOR $2" "PATCH $3" >"$scratch/bad/include/torch/headeronly/version.h"
    ln -s "$(realpath "$torch/lib")" "$scratch/bad/lib"
}
version_of 2 10 1
wrong "another version" "is version 2.10.1; 2.11 is needed"
version_of 2 11 3
passes "another patch level is taken" exits_with 0 "ready" env LIBTORCH="$scratch/bad" env/setup.sh
rm "$scratch/bad/include/torch/headeronly/version.h"
wrong "no version" "is version unknown; 2.11 is needed"
mkdir "$scratch/bad"
ln -s "$(realpath "$torch/include")" "$scratch/bad/include"
wrong "headers without libraries" "has headers but no lib/libtorch_cpu.so"
if [ -e "$torch/lib/libtorch_cuda.so" ] && readelf -d "$torch/lib/libtorch_cuda.so" 2>/dev/null | grep -q nccl; then
    mkdir -p "$scratch/bad/torch/lib"
    ln -s "$(realpath "$torch/include")" "$scratch/bad/torch/include"
    ln "$torch"/lib/*.so* "$scratch/bad/torch/lib" 2>/dev/null || cp -s "$(realpath "$torch")"/lib/*.so* "$scratch/bad/torch/lib"
    wrong "a wheel without the wheels it needs" "does not find: "
else
    skips "a wheel without the wheels it needs" "this LibTorch brings all in one folder"
fi
mkdir -p "$scratch/bad/lib"
ln -s "$(realpath "$torch/include")" "$scratch/bad/include"
cp -s "$(realpath "$torch")"/lib/*.so* "$scratch/bad/lib"
rm -f "$scratch"/bad/lib/*cuda*
passes "a build without CUDA: said, no compiler looked for" exits_with 0 "is a build without CUDA: so will blip_mpi be" env -u CUDA LIBTORCH="$scratch/bad" env/setup.sh
passes "nothing was downloaded for any of them" nothing_downloaded
finish
