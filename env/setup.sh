#!/usr/bin/env bash
# Prepares a machine to build and run blip_mpi: installs what is missing and nothing else. Safe to run again and again;
# takes well under two seconds when nothing is missing. Called by `make test`, `make demo` and .ci/run, or by hand.
#
#   env/setup.sh           system packages (apt, as root or with sudo), LibTorch, and a CUDA compiler where there is none
#   env/setup.sh --check   only says what is missing; exit 66 if anything is
#   env/setup.sh --with-meteor   also the tables that METEOR scores with, into $BLIP_DEPS/meteor-1.5
#   env/setup.sh --with-slurm   also a Slurm for the tests; it is not started, and where it cannot be had all else goes on
#   env/setup.sh --download DIR   installs nothing: fetches all of it into DIR, for machines without a network
#   env/setup.sh --from DIR       installs from there, without a network
#   env/setup.sh --with-browser   also Chromium, in which a test looks at a report; likewise
#
# Environment: BLIP_DEPS  cache for LibTorch and the CUDA compiler, shared by all clones (default ~/.cache/blip_mpi)
#              LIBTORCH   a LibTorch of the site, version 2.11: the directory a torch wheel is in, or an unpacked libtorch
#                         zip; none is downloaded
#              CUDA=0     no CUDA: no compiler for it is looked for
#              CUDA_HOME  a CUDA toolkit of the site: none is downloaded
#              MPICXX     an Open MPI compiler wrapper of the site: Open MPI is not installed
# Where packages cannot be installed, says what is missing and what brings it (env/needs.txt) and ends with 66. What only
# tests, benchmarks or lint need is then a warning.
# Exit: 0 ready, 64 usage, 66 something is missing and cannot be installed here, 74 installing failed.
set -euo pipefail
umask 022
here=$(cd "$(dirname "$0")" && pwd)
deps=${BLIP_DEPS:-$HOME/.cache/blip_mpi}
torch_dir=$deps/torch-2.11.0-cu130
nvcc_dir=$deps/nvcc-13.0.88

say() { printf 'setup: %s\n' "$*" >&2; }
fail() {
    local code=$1
    shift
    say "$*"
    exit "$code"
}
. "$here/needs.sh"
. "$here/wheels.sh"
. "$here/meteor.sh"
. "$here/offline.sh"

# ---- LibTorch --------------------------------------------------------------------------------------------------------
have_torch() { [ -n "${LIBTORCH:-}" ] || have_wheels "$torch_dir" "$here/requirements-torch.txt"; }
install_torch() { # 3800 MB installed, and the wheels while they are unpacked
    install_wheels "LibTorch 2.11.0" "CUDA 13.0; downloads 2.2 GB, takes 3.8 GB" "$torch_dir" "$here/requirements-torch.txt" 6500 verify_torch
}
verify_torch() { ! lost_libraries "$1/torch/lib"; }
# Names libraries that LibTorch loads and the machine has not; the driver's own comes with the GPU.
lost_libraries() {
    local lost libraries=("$1/libtorch_cpu.so")
    [ ! -e "$1/libtorch_cuda.so" ] || libraries+=("$1/libtorch_cuda.so")
    lost=$(ldd "${libraries[@]}" 2>/dev/null |
        awk '/not found/ && $1 !~ /^libcuda[.]so/ && !seen[$1]++ {printf " %s", $1}')
    [ -z "$lost" ] || say "LibTorch in $1 does not find:$lost"
    [ -n "$lost" ]
}
# The directory with include/ and lib/ of the site's LibTorch.
site_torch() { if [ -e "$LIBTORCH/torch/include" ]; then echo "$LIBTORCH/torch"; else echo "$LIBTORCH"; fi; }
# The C++ interface changes from one minor version to the next, so another one is refused. `make build LIBTORCH=...` itself
# asks no version: the way to try one.
check_site_torch() {
    local root version
    root=$(site_torch)
    [ -e "$root/include/ATen/core/Tensor.h" ] ||
        fail 66 "LIBTORCH=$LIBTORCH holds no include/ATen/core/Tensor.h: it is the directory a torch wheel is in (site-packages), or an unpacked libtorch zip"
    version=$({ cat "$root"/include/torch/{headeronly,csrc/api/include/torch}/version.h 2>/dev/null || true; } |
        awk '/define TORCH_VERSION_(MAJOR|MINOR|PATCH) / {v = v s $3; s = "."} END {print v}')
    [[ $version == 2.11.* ]] ||
        fail 66 "LIBTORCH=$LIBTORCH is version ${version:-unknown}; 2.11 is needed (unset LIBTORCH to have it downloaded)"
    [ -e "$root/lib/libtorch_cpu.so" ] && [ -e "$root/lib/libc10.so" ] || fail 66 "LIBTORCH=$LIBTORCH has headers but no lib/libtorch_cpu.so and lib/libc10.so"
    ! lost_libraries "$root/lib" || fail 66 "LIBTORCH=$LIBTORCH is not whole: the wheels that its metadata names (nvidia-*) belong in the same directory"
    [ -e "$root/lib/libtorch_cuda.so" ] || say "LIBTORCH=$LIBTORCH is a build without CUDA: so will blip_mpi be"
}

# ---- a CUDA compiler, where the machine has none -----------------------------------------------------------------------
wants_nvcc() { [ "${CUDA:-auto}" != 0 ] && { [ -z "${LIBTORCH:-}" ] || [ -e "$(site_torch)/lib/libtorch_cuda.so" ]; }; }
# In the order in which the Makefile looks.
site_nvcc() {
    local nvcc
    for nvcc in ${CUDA_HOME:+"$CUDA_HOME/bin/nvcc"} "$(command -v nvcc 2>/dev/null)" /usr/local/cuda/bin/nvcc; do
        if [ -x "$nvcc" ] || [ -n "${CUDA_HOME:-}" ]; then
            echo "$nvcc"
            return
        fi
    done
}
have_nvcc() { ! wants_nvcc || [ -n "$(site_nvcc)" ] || have_wheels "$nvcc_dir" "$here/requirements-nvcc.txt"; }
install_nvcc() {
    install_wheels "nvcc 13.0.88" "the CUDA compiler: downloads 100 MB, takes 280 MB; CUDA=0 does without" \
        "$nvcc_dir" "$here/requirements-nvcc.txt" 700 verify_nvcc
}
verify_nvcc() {
    printf '__global__ void kernel(int* out) { *out = 1; }\n' >"$1/.probe.cu"
    "$1/nvidia/cu13/bin/nvcc" -ccbin "$(compiler)" -arch=sm_90 -c "$1/.probe.cu" -o "$1/.probe.o" >&2 && rm -f "$1/.probe.cu" "$1/.probe.o"
}
check_site_nvcc() {
    local nvcc release
    nvcc=$(site_nvcc)
    [ -n "$nvcc" ] && wants_nvcc || return 0
    [ -x "$nvcc" ] || fail 66 "CUDA_HOME=$CUDA_HOME holds no bin/nvcc: unset it, or CUDA=0 for a build without CUDA"
    release=$("$nvcc" --version 2>/dev/null | sed -n 's/.*release \([0-9.]*\),.*/\1/p' || true)
    [ -n "$release" ] || fail 66 "$nvcc does not run: name another with CUDA_HOME=, or set CUDA=0"
    [[ $release == 13.* ]] ||
        say "warning: $nvcc is of CUDA $release, LibTorch of CUDA 13: name a 13 with CUDA_HOME=, or set CUDA=0"
}

# ---- whom the cache belongs to ----------------------------------------------------------------------------------------
# Libraries that anyone else could replace are never loaded. Root's are as good as one's own: a site's shared cache.
check_cache() {
    local dir depth found self owners=()
    self=$(id -u)
    owners=(! -user "$self" ! -user 0)
    # root in a container often works in a home that belongs to the user outside of it
    [ "$self" != 0 ] || owners+=(! -user "$(stat -c %u "$HOME" 2>/dev/null || echo 0)")
    for dir in "$deps" "$torch_dir" "$nvcc_dir"; do
        [ -e "$dir" ] || continue
        # the cache's own entries, and in an installation as deep as its libraries lie
        depth=4
        [ "$dir" != "$deps" ] || depth=1
        found=$(find -H "$dir" -maxdepth $depth \
            \( ! -type l -perm -0002 -o "${owners[@]}" \) -print -quit)
        [ -z "$found" ] ||
            fail 66 "$found belongs to another user or can be written by anyone ($(stat -c 'owner %U, mode %a' "$found")): nothing in $deps is used. If you trust what is there: chown -R and chmod -R o-w; else remove it, or set BLIP_DEPS to a folder of your own"
    done
}

# ---- main ------------------------------------------------------------------------------------------------------------
check_only='' with_meteor='' with_slurm='' with_browser='' download=''
usage="usage: env/setup.sh [--check | [--with-meteor] [--with-slurm] [--with-browser] [--download DIR | --from DIR]]"
[ "$*" != --check ] || check_only=1
while [ $# -gt 0 ] && [ -z "$check_only" ]; do
    case $1 in
        --with-meteor) with_meteor=1 ;;
        --with-slurm) with_slurm=1 ;;
        --with-browser) with_browser=1 ;;
        --download | --from)
            [ $# -gt 1 ] && [ -z "$from$download" ] || fail 64 "$usage"
            if [ "$1" = --from ]; then from=$2; else download=$2; fi
            shift
            ;;
        *) fail 64 "$usage" ;;
    esac
    shift
done
[ -z "$from" ] || [ -d "$from/wheels" ] || fail 66 "--from $from: there is no folder $from/wheels; env/setup.sh --download makes it"
[ "$(uname -sm)" = "Linux x86_64" ] || fail 66 "this is $(uname -sm); the pinned LibTorch is for Linux x86_64"
check_cache
[ -z "${LIBTORCH:-}" ] || check_site_torch
check_site_nvcc
if [ -n "$download" ]; then
    download_all "$download" "$with_meteor"
    exit
fi
mapfile -t rows < <(missing_needs)
if [ -n "$check_only" ]; then
    [ ${#rows[@]} -eq 0 ] || advise "${rows[@]}"
    have_torch || say "missing: LibTorch in $torch_dir"
    have_nvcc || say "missing: a CUDA compiler (nvcc on PATH, CUDA_HOME=, or in $nvcc_dir)"
    [ ${#rows[@]} -eq 0 ] && have_torch && have_nvcc && say "nothing is missing" && exit 0
    exit 66
fi
# A second round sees what only a compiler can find, and what the first round's compiler lacks.
for _ in 1 2 3; do
    [ ${#rows[@]} -gt 0 ] && can_install || break
    read -ra packages <<<"$(column 3 "${rows[@]}")"
    install_packages "${packages[@]}"
    mapfile -t rows < <(missing_needs)
done
if [ ${#rows[@]} -gt 0 ]; then
    advise "${rows[@]}"
    # not by grep -q, which may end before printf does: then the pipe fails although there was such a row
    [[ $(printf '\n%s' "${rows[@]}") != *$'\n''build '* ]] || fail 66 "cannot build without these"
    say "going on: building needs none of them"
fi
have_torch || install_torch
have_nvcc || install_nvcc
[ -z "$with_meteor" ] || have_meteor || install_meteor
[ -z "$with_slurm" ] || install_slurm
[ -z "$with_browser" ] || install_browser
say "ready (LibTorch in ${LIBTORCH:-$torch_dir})"
