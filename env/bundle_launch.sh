#!/bin/sh
# Starts a program of the bundle (env/bundle.sh): bin/NAME is a link to this file, and so are the programs beside blip_mpi that
# it becomes. Finds LibTorch by LIBTORCH for those that need it, sets what the programs and Open MPI need to be found where the
# bundle lies now, and becomes the program.
# Exit 66: LIBTORCH is unset, is none, or this machine is too old; said by the first rank alone.
launch=$(readlink -f "$0")
libexec=${launch%/*}
bundle=${libexec%/*}
name=${0##*/}
program=$libexec/$name
refuse() {
    [ "${OMPI_COMM_WORLD_RANK:-${PMIX_RANK:-${SLURM_PROCID:-0}}}" != 0 ] || echo "$name: $*" >&2
    exit 66
}
needed() { sed -n "s/^$1=//p" "$libexec/requirements"; }
# older FOUND NEEDED
older() { [ "$1" != "$2" ] && [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | sed 's/.* //')
if older "${glibc:-0}" "$(needed glibc)"; then
    refuse "this machine has glibc ${glibc:-(none)}, the bundle needs $(needed glibc): make one on a machine as old as this (make bundle)"
fi

# ---- LibTorch --------------------------------------------------------------------------------------------------------
how="set it to the directory that a torch $(needed libtorch) wheel is in (site-packages), or to an unpacked libtorch zip"
if [ -e "${libexec}_torch/$name" ]; then
    program=${libexec}_torch/$name
    [ -n "${LIBTORCH:-}" ] || refuse "LIBTORCH is not set: $how"
    if [ -e "$LIBTORCH/torch/lib/libtorch_cpu.so" ]; then
        torch=$(readlink -f "$LIBTORCH/torch")
    elif [ -e "$LIBTORCH/lib/libtorch_cpu.so" ]; then
        torch=$(readlink -f "$LIBTORCH")
    else
        refuse "LIBTORCH=$LIBTORCH holds neither torch/lib/libtorch_cpu.so nor lib/libtorch_cpu.so: $how"
    fi
    found=$(sed -n "s/^__version__ = '\(.*\)'/\1/p" "$torch/version.py" 2>/dev/null)
    [ -n "$found" ] || found=$(cat "$torch/build-version" 2>/dev/null)
    case $found in
    "$(needed libtorch)".*) ;;
    *) refuse "LIBTORCH=$LIBTORCH is version ${found:-unknown}, not $(needed libtorch): $how" ;;
    esac
    folders=$torch/lib
    for folder in "$torch"/../nvidia/nccl/lib "$torch"/../nvidia/cu13/lib; do
        [ ! -d "$folder" ] || folders=$folders:$folder
    done
    export LD_LIBRARY_PATH="$folders${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    # The other words would be the loader's.
    if [ "$name" = blip_mpi_cuda ] && [ ! -e "$torch/lib/libtorch_cuda.so" ]; then
        refuse "LIBTORCH=$LIBTORCH ($found) has no CUDA, but this machine has a GPU: use torch $(needed libtorch) for CUDA 13.0, or --device cpu"
    fi
fi

# ---- libstdc++: the machine's own, unless it is older than the programs' -------------------------------------------------
own=$(LD_TRACE_LOADED_OBJECTS=1 "$libexec/make_sample" 2>/dev/null | sed -n 's/.*libstdc++\.so\.6 => \(\/[^ ]*\) .*/\1/p')
if [ -z "$own" ] || ! grep -q "GLIBCXX_$(needed glibcxx)" "$own"; then
    export LD_LIBRARY_PATH="$bundle/lib/gcc${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
fi

# ---- Open MPI and its companions, where the bundle lies now --------------------------------------------------------------
# Ranks that a site's own mpirun started use the site's settings but the bundle's library: the same plugins belong to it.
export OPAL_PREFIX="$bundle" OPAL_LIBDIR="$bundle/lib" OPAL_PKGLIBDIR="$bundle/lib/openmpi" \
    OPAL_PKGDATADIR="$bundle/share/openmpi" OPAL_SYSCONFDIR="$bundle/etc" PMIX_PREFIX="$bundle" \
    PMIX_PKGLIBDIR="$bundle/lib/pmix" PMIX_PKGDATADIR="$bundle/share/pmix" HWLOC_PLUGINS_PATH="$bundle/lib/none"
case $name in
mpirun)
    # Without ssh and outside a batch system there is only this machine, and mpirun wants to be told.
    if ! command -v ssh >/dev/null 2>&1 && [ -z "${SLURM_JOB_ID:-}${OMPI_MCA_plm:-}" ]; then
        export OMPI_MCA_plm=isolated
    fi
    exec "$libexec/mpirun" ${LIBTORCH:+-x LIBTORCH} "$@"
    ;;
*) exec "$program" "$@" ;;
esac
