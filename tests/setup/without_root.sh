#!/usr/bin/env bash
# env/setup.sh where it may not install anything: says what is missing and by which names Debian, modules, Spack and conda
# know it, and ends with 66; what building does not need is a warning.
# shellcheck source=tests/support/shell_test.sh
. "$(dirname "$0")/../support/shell_test.sh"
# shellcheck source=tests/support/hide_lib.sh
. "$(dirname "$0")/../support/hide_lib.sh"

passes "Spack's list names what the table names" python3 - <<'PYTHON'
import re
rows = [line.split() for line in open('env/needs.txt') if not line.startswith('#')]
assert len(rows) > 20 and all(len(row) == 7 and row[0] in ('build', 'tests', 'bench', 'bundle', 'lint', 'slurm') for row in rows), rows
table = {row[5] for row in rows} - {'-'}
spack = set(re.findall(r'^    - (\S+)', open('env/spack.yaml').read(), re.M))
assert table == spack, table ^ spack
PYTHON

if ! can_hide || ! as_nobody true 2>/dev/null; then
    skips "set-up without root" "no namespaces here (unshare)"
    finish
fi
if ! CUDA=0 env/setup.sh --check >/dev/null 2>&1; then
    skips "set-up without root" "this machine itself lacks something: env/setup.sh"
    finish
fi
export CUDA=0
unset MPICXX LIBTORCH CPATH CPLUS_INCLUDE_PATH
deps=${BLIP_DEPS:-$HOME/.cache/blip_mpi}
# setup ARGUMENT...: as nobody, with the commands of $scratch/path
setup() { as_nobody env PATH="$scratch/path" BLIP_DEPS="$deps" env/setup.sh "$@"; }
says_all() { # the words are all in the last output
    local word
    for word in "$@"; do grep -qF -- "$word" "$scratch/.output" || { echo "does not say: $word" && return 1; }; done
}
says_none() { ! grep -F -- "$1" "$scratch/.output"; }
hidden_boost() { without /usr/include/boost -- unshare -U env PATH="$scratch/path" BLIP_DEPS="$deps" env/setup.sh "$@"; }

path_without
passes "nobody on a whole machine: ready" exits_with 0 "ready" setup
path_without mpirun mpicxx shellcheck
passes "no MPI, no Boost: exit 66" exits_with 66 "cannot build without these" hidden_boost
cp "$scratch/.output" "$scratch/missing"
passes "by Debian's names" says_all "apt-get install openmpi-bin libopenmpi-dev libboost-program-options-dev libboost-test-dev shellcheck"
passes "by modules' names" says_all "module load openmpi boost"
passes "by Spack's names" says_all "boost+program_options+test" "spack env create blip_mpi"
passes "by conda's names" says_all "conda create -n blip_mpi -c conda-forge 'openmpi' 'libboost-devel' 'shellcheck'"
passes "nothing that is there is called missing" says_none hdf5
passes "--check says the same" exits_with 66 "libboost-program-options-dev" hidden_boost --check
path_without shellcheck strace
passes "only what tests and lint use: a warning" exits_with 0 "going on: building needs none of them" setup
passes "and named" says_all "tests  strace" "lint   shellcheck" "ready"
passes "--check counts it" exits_with 66 "strace" setup --check
path_without g++ g++-12
passes "no compiler: exit 66" exits_with 66 "without a compiler and pkg-config libraries cannot be looked for" setup
passes "no compiler: all headers listed" says_all "libhdf5-dev" "librandom123-dev" "gxx>=12" "Random123 is not on conda-forge"
path_without pkg-config
passes "no pkg-config: exit 66" exits_with 66 "pkgconf " setup
path_without
mkdir "$scratch/pc"
cp /usr/lib/*/pkgconfig/*.pc "$scratch/pc"
rm -f "$scratch"/pc/{fmt,hdf5,hdf5-serial}.pc
passes "a header is there and its pkg-config module is not: exit 66" exits_with 66 "cannot build without these" env PKG_CONFIG_LIBDIR="$scratch/pc" CPATH=/usr/include/hdf5/serial unshare -U env PATH="$scratch/path" BLIP_DEPS="$deps" env/setup.sh
passes "named as module" says_all "fmt.pc" "hdf5.pc|hdf5-serial.pc"

path_without mpicxx
printf '#!/bin/sh\necho "MPICH: unknown option $1" >&2\nexit 1\n' >"$scratch/path/mpicxx"
chmod +x "$scratch/path/mpicxx"
passes "another MPI's mpicxx: exit 66" exits_with 66 "mpicxx is there, but not Open MPI's: MPICXX= names the right one" setup
passes "MPICXX names the right one" exits_with 0 "ready" env MPICXX="$(command -v mpicxx)" unshare -U env PATH="$scratch/path" BLIP_DEPS="$deps" env/setup.sh
path_without python3
printf '#!/bin/sh\ncase "$*" in *-m\\ pip*) echo "No module named pip" >&2; exit 1 ;; esac\nexec %s "$@"\n' "$(command -v python3)" >"$scratch/path/python3"
chmod +x "$scratch/path/python3"
no_pip() { as_nobody env PATH="$scratch/path" BLIP_DEPS="$scratch/deps" env/setup.sh; }
passes "neither pip nor LibTorch: exit 66" exits_with 66 "python3-pip" no_pip
passes "and what does without pip" says_all "LIBTORCH= names a torch 2.11"

if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    mkdir "$scratch/repo"
    cp -r env "$scratch/repo"
    chmod -R a+rX "$scratch"
    path_without strace make
    real_nobody() {
        setpriv --reuid=65534 --regid=65534 --clear-groups env HOME=/nonexistent PATH="$scratch/path" "$scratch/repo/env/setup.sh"
    }
    passes "the real nobody: exit 66" exits_with 66 "cannot build without these" real_nobody
    path_without
    passes "the real nobody has no folder for LibTorch: exit 74" exits_with 74 "cannot write to /nonexistent/.cache/blip_mpi: set BLIP_DEPS" real_nobody
else
    skips "the real nobody" "needs root"
fi
finish
