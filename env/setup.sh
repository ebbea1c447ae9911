#!/usr/bin/env bash
# Prepares a machine to build and run blip_mpi: installs what is missing and nothing else. Safe to run again and again;
# takes well under two seconds when nothing is missing. Called by `make demo` and .ci/run, or by hand.
#
#   env/setup.sh           system packages (apt, as root or with sudo) and LibTorch
#   env/setup.sh --check   only says what is missing; exit 66 if anything is
#
# Environment: BLIP_DEPS  cache for LibTorch, shared by all clones (default ~/.cache/blip_mpi)
#              LIBTORCH   a LibTorch of the site: none is downloaded
#              MPICXX     an MPI compiler wrapper of the site: Open MPI is not installed
# Exit: 0 ready, 64 usage, 66 something is missing and cannot be installed here, 74 installing failed.
set -euo pipefail
umask 022
here=$(cd "$(dirname "$0")" && pwd)
deps=${BLIP_DEPS:-$HOME/.cache/blip_mpi}
torch_dir=$deps/torch-2.11.0-cu130
requirements=$here/requirements-torch.txt
torch_need_mb=6500 # 3800 installed, and the wheels while they are unpacked

say() { printf 'setup: %s\n' "$*" >&2; }
fail() {
    local code=$1
    shift
    say "$*"
    exit "$code"
}

# ---- system packages -------------------------------------------------------------------------------------------------
# Debian and Ubuntu package names of all that is missing, judged by what the shell and the compiler really find.
missing_packages() {
    local command package
    while read -r command package; do
        command -v "$command" >/dev/null 2>&1 || echo "$package"
    done <<COMMANDS
g++ g++
make make
git git
pkg-config pkg-config
flock util-linux
python3 python3
shellcheck shellcheck
clang-format clang-format
pgrep procps
strace strace
mpirun openmpi-bin
${MPICXX:-mpicxx} libopenmpi-dev
COMMANDS
    [ -e /etc/ssl/certs/ca-certificates.crt ] || [ -e /etc/pki ] || echo ca-certificates
    if command -v g++ >/dev/null 2>&1; then
        if [ "$(g++ -dumpversion | cut -d. -f1)" -lt 12 ]; then
            command -v g++-12 >/dev/null 2>&1 || echo g++-12
        fi
        missing_headers
    else
        header_table | cut -d' ' -f2 # not to be seen without a compiler; apt leaves alone what is there
    fi
    have_torch || python3 -m pip --version >/dev/null 2>&1 || echo python3-pip
}

header_table() {
    cat <<'HEADERS'
hdf5.h libhdf5-dev
boost/program_options.hpp libboost-program-options-dev
boost/test/unit_test.hpp libboost-test-dev
nlohmann/json.hpp nlohmann-json3-dev
spdlog/spdlog.h libspdlog-dev
fmt/format.h libfmt-dev
turbojpeg.h libturbojpeg0-dev
xxhash.h libxxhash-dev
unicode/normalizer2.h libicu-dev
Random123/philox.h librandom123-dev
benchmark/benchmark.h libbenchmark-dev
zlib.h zlib1g-dev
HEADERS
}

# Asks the preprocessor, which also sees a site's own CPATH.
missing_headers() {
    local header package flags
    read -ra flags <<<"$(pkg-config --cflags hdf5 2>/dev/null || pkg-config --cflags hdf5-serial 2>/dev/null || true)"
    header_table | while read -r header package; do
        printf '#if !__has_include(<%s>)\n"%s"\n#endif\n' "$header" "$package"
    done | g++ -E -P -x c++ "${flags[@]}" - | tr -d '"'
}

install_packages() {
    local packages=("$@") as_root=()
    if ! command -v apt-get >/dev/null 2>&1; then
        fail 66 "missing (by their Debian names): ${packages[*]}. No apt-get here: load your site's modules for them."
    fi
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null 2>&1 || ! { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
            fail 66 "missing: ${packages[*]}. Neither root nor sudo: ask for  apt-get install ${packages[*]}"
        fi
        as_root=(sudo)
    fi
    say "installing ${packages[*]}"
    local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300)
    "${apt[@]}" update >&2 || fail 74 "apt-get update failed; missing: ${packages[*]}"
    "${apt[@]}" install --no-install-recommends "${packages[@]}" >&2 || fail 74 "apt-get install failed: ${packages[*]}"
}

# ---- LibTorch --------------------------------------------------------------------------------------------------------
# An installed LibTorch carries the hash of the list it was made from; the directory gets its name only when it is whole
# and on disk, so one without the right mark is never used.
torch_mark() { sha256sum "$requirements" | cut -d' ' -f1; }
have_torch() {
    if [ -n "${LIBTORCH:-}" ]; then
        [ -e "$LIBTORCH/torch/include/ATen/core/Tensor.h" ] || [ -e "$LIBTORCH/include/ATen/core/Tensor.h" ]
    else
        [ "$(cat "$torch_dir/.complete" 2>/dev/null)" = "$(torch_mark)" ]
    fi
}

install_torch() {
    local free_mb staging old platforms=() i
    [ -z "${LIBTORCH:-}" ] || fail 66 "LIBTORCH=$LIBTORCH holds no include/ATen/core/Tensor.h"
    mkdir -p "$deps" || fail 74 "cannot create $deps: set BLIP_DEPS"
    exec 9>"$deps/.lock"
    flock -n 9 || { say "another set-up is at work in $deps, waiting" && flock 9; }
    have_torch && return
    rm -rf "$deps"/.staging-* # left by a set-up that was killed: the lock says that nobody is at work

    free_mb=$(df -Pm "$deps" | awk 'NR == 2 {print $4}')
    [ "$free_mb" -ge $torch_need_mb ] ||
        fail 74 "$deps has $free_mb MB free, LibTorch needs $torch_need_mb MB: set BLIP_DEPS to another place"
    say "installing LibTorch 2.11.0 (CUDA 13.0) into $torch_dir: downloads 2.2 GB, takes 3.8 GB"
    staging=$(mktemp -d "$deps/.staging-XXXXXX")
    # shellcheck disable=SC2064  # the name as it is now
    trap "rm -rf '$staging'" EXIT
    trap 'exit 74' INT TERM HUP
    # The wheels are for one platform and one Python whatever this machine's Python is: C++ does not care.
    for i in 28 27 26 25 24 23 22 21 20 19 18 17; do platforms+=(--platform "manylinux_2_${i}_x86_64"); done
    mkdir "$staging/tmp"
    TMPDIR=$staging/tmp PIP_ROOT_USER_ACTION=ignore python3 -m pip install --require-hashes -r "$requirements" --no-deps --only-binary=:all: \
        --python-version 3.11 "${platforms[@]}" --platform manylinux2014_x86_64 \
        --target "$staging/site" --no-compile --no-cache-dir --disable-pip-version-check --progress-bar off -q >&2 || fail 74 "pip could not install LibTorch"
    rm -rf "$staging/tmp"
    verify_torch "$staging/site"
    torch_mark >"$staging/site/.complete"
    sync -f "$staging/site" || fail 74 "cannot write $staging to disk"
    old=
    if [ -e "$torch_dir" ]; then
        old=$deps/.staging-old-$$
        mv "$torch_dir" "$old"
    fi
    mv "$staging/site" "$torch_dir"
    sync -f "$deps"
    rm -rf "$staging" ${old:+"$old"}
    trap - EXIT INT TERM HUP
    exec 9>&-
}

# Every file that the wheels list is there in its full size, and every library that LibTorch loads is found.
verify_torch() {
    python3 - "$1" <<'PYTHON' || fail 74 "the unpacked LibTorch is not whole"
import csv, pathlib, sys
site = pathlib.Path(sys.argv[1])
count = 0
for record in site.glob('*.dist-info/RECORD'):
    for name, _, size in csv.reader(record.open()):
        if name.startswith('..') or not size:
            continue  # scripts go to bin; RECORD itself has no size
        path = site / name
        if not path.is_file() or path.stat().st_size != int(size):
            sys.exit(f'setup: {path} is absent or has another size than {size} bytes')
        count += 1
if count < 1000:
    sys.exit(f'setup: only {count} files in {site}')
PYTHON
    if ldd "$1/torch/lib/libtorch_cuda.so" "$1/torch/lib/libtorch_cpu.so" | grep 'not found' | grep -v 'libcuda\.so' >&2; then
        fail 74 "LibTorch does not find these libraries"
    fi
}

# ---- main ------------------------------------------------------------------------------------------------------------
check_only=
case "$#:${1:-}" in
    0:) ;;
    1:--check) check_only=1 ;;
    *) fail 64 "usage: env/setup.sh [--check]" ;;
esac
[ "$(uname -sm)" = "Linux x86_64" ] || fail 66 "this is $(uname -sm); the pinned LibTorch is for Linux x86_64"
mapfile -t packages < <(missing_packages | sort -u)
if [ -n "$check_only" ]; then
    [ ${#packages[@]} -eq 0 ] || say "missing packages: ${packages[*]}"
    have_torch || say "missing: LibTorch in ${LIBTORCH:-$torch_dir}"
    [ ${#packages[@]} -eq 0 ] && have_torch && say "nothing is missing" && exit 0
    exit 66
fi
# A second round sees what only a compiler can find, and what the first round's compiler lacks.
for _ in 1 2 3; do
    [ ${#packages[@]} -gt 0 ] || break
    install_packages "${packages[@]}"
    mapfile -t packages < <(missing_packages | sort -u)
done
[ ${#packages[@]} -eq 0 ] || fail 66 "still missing after installing: ${packages[*]}"
have_torch || install_torch
say "ready (LibTorch in ${LIBTORCH:-$torch_dir})"
