#!/usr/bin/env bash
# Makes a folder and an archive of it that run on another x86-64 Linux with LibTorch 2.11 (or a torch 2.11 wheel) and nothing
# else installed: programs, their libraries, an Open MPI runtime, vocabulary and jobs. Called by `make bundle` and
# `make gpu-first`.
#
#   env/bundle.sh BUILD OUTPUT_DIR [gpu-tests]
#
# Writes OUTPUT_DIR/blip_mpi-VERSION-x86_64/ and OUTPUT_DIR/blip_mpi-VERSION-x86_64.tar.gz. Libraries are those that the
# programs load here, but for:
#   glibc      is the other machine's, never older than the bundle says. What libraries use of glibc 2.35 and 2.36
#              (arc4random, and _dl_find_object for exceptions) is in libblip_glibc for machines that have 2.34
#   libstdc++  (and libgcc_s) lie in lib/gcc and are used only where the other machine's are older
#   LibTorch, CUDA, NCCL, the driver: the other machine's
#   ICU's data (31 MB: locales, converters): an empty table. Case, properties and decomposition of characters, all that is
#              used here, are in libicuuc itself (tests/end_to_end/bundle.sh)
#   Open MPI's plugins for InfiniBand, Omni-Path and UCX, for files and for OpenSHMEM: left out. It speaks shared memory
#              and TCP; NCCL brings its own network code. A cluster's own Open MPI 4 can launch the ranks as well.
# With gpu-tests the archive must stay below 64 MiB, which some places take at most.
# Exit: 66 something to bundle or a tool is missing, 70 too large.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1 output=$2 with_gpu_tests=${3:-}
fail() {
    echo "bundle: $2" >&2
    exit "$1"
}
command -v patchelf >/dev/null || fail 66 "patchelf is not installed: env/setup.sh"
[ -x "$build/bin/blip_mpi" ] || fail 66 "$build/bin/blip_mpi is absent: make build"
version=$(sed -n 's/.*program_version = "\(.*\)".*/\1/p' include/blip/base/version.h)
name=blip_mpi-$version-x86_64
[ -z "$with_gpu_tests" ] || name=blip_mpi-$version-gpu-tests-x86_64
mkdir -p "$output"
bundle=$(mktemp -d "$output/.bundle-XXXXXX")
trap 'rm -rf "$bundle"' EXIT
mkdir -p "$bundle"/{bin,libexec,libexec_torch,lib/gcc,lib/openmpi,lib/pmix,lib/none,share/blip_mpi,jobs,licences}

sources=$bundle/.origins # each bundled file that is not blip_mpi's own, and where it came from
take() { # FILE... DIRECTORY-OR-NAME: copies, following links
    local file to=${!#}
    cp -L "$@"
    for file in "${@:1:$#-1}"; do
        [ ! -d "$to" ] || file=$file$'\t'$to/${file##*/}
        [[ $file = *$'\t'* ]] || file=$file$'\t'$to
        printf '%s\t%s\n' "${file#*$'\t'}" "${file%$'\t'*}"
    done | sed "s|^$bundle/||" >>"$sources"
}

# ---- programs and Open MPI -------------------------------------------------------------------------------------------
# Those that need LibTorch lie in a folder of their own: libexec has the launcher in their place, which blip_mpi finds there.
programs=("$build"/bin/blip_mpi "$build"/bin/blip_mpi_score "$build"/bin/coco_pack "$build"/bin/make_sample)
torchy=("$build/bin/blip_mpi_cpu")
[ ! -x "$build/bin/blip_mpi_cuda" ] || torchy+=("$build/bin/blip_mpi_cuda")
if [ -n "$with_gpu_tests" ]; then
    [ -x "$build/tests/gpu" ] || fail 66 "$build/tests/gpu is absent: make tests CUDA=1"
    cp "$build/tests/gpu" "$bundle/libexec_torch/gpu_tests"
    cp "$build/tests/nccl_gpu" "$bundle/libexec_torch/nccl_tests"
fi
cp "${programs[@]}" "$bundle/libexec"
cp "${torchy[@]}" "$bundle/libexec_torch"
path_of() { ompi_info --path "$1" --parsable | cut -d: -f3 | head -n 1; }
plugins=$(path_of pkglibdir)
take "$(command -v orterun)" "$bundle/libexec/mpirun"
take "$(command -v orted)" "$bundle/libexec/orted"
cp -r "$(path_of pkgdatadir)" "$bundle/share/openmpi"
find "$bundle/share/openmpi" ! -type d ! -name 'help-*' -delete
mkdir -p "$bundle/etc"
: >"$bundle/etc/openmpi-mca-params.conf" # this machine's settings stay here
unwanted='^mca_((atomic|memheap|scoll|spml|sshmem|io|fbtl|fcoll|fs|sharedfp|vprotocol)_|mtl_(ofi|psm)|btl_(ofi|openib)|.*_(ucx|monitoring)[.])'
for plugin in "$plugins"/mca_*.so; do
    [[ ${plugin##*/} =~ $unwanted ]] || take "$plugin" "$bundle/lib/openmpi"
done
# PMIx, through which mpirun and ranks find each other, has plugins and help files of its own.
pmix=$(ldd "$plugins"/mca_pmix_*.so | awk '$1 ~ /^libpmix[.]/ {print $3; exit}')
if [ -n "$pmix" ]; then
    pmix=$(dirname "$(realpath "$pmix")")
    take "$pmix"/pmix/*.so "$bundle/lib/pmix"
    mkdir -p "$bundle/share/pmix"
    cp "$pmix"/../share/pmix/help-* "$bundle/share/pmix"
fi
chmod -R u+w "$bundle"

# ---- libraries -------------------------------------------------------------------------------------------------------
of_glibc='^(ld-linux.*|lib(c|m|dl|rt|pthread|util|resolv|nsl|anl|BrokenLocale|thread_db|nss_.*)[.]so.*|linux-vdso.*)$'
of_libtorch='^lib(torch.*|c10.*|gomp|shm|cud.*|cublas.*|cufft.*|cufile.*|curand|cusolver.*|cusparse.*|cupti|nv.*|nccl|cuda)[-.].*$'
of_gcc='^lib(stdc[+][+]|gcc_s)[.]'
copied() { # every library that an ELF file of the bundle loads; "not found" as such
    find "$bundle" -type f \( -path '*/libexec*/*' -o -regex '.*[.]so\([.][0-9.]*\)?' \) -print0 | xargs -0 -n 64 ldd 2>/dev/null |
        awk '/=>/ {print $1, ($3 == "not" ? "-" : $3)}' | sort -u
}
# In the form that ICU expects of its data: a header, and a table of contents of no entries.
empty_icu_data() { # SONAME FILE
    local number=${1#libicudata.so.}
    "${CC:-cc}" -shared -nostdlib -Wl,-soname,"$1" -o "$2" -x c - <<C
const struct {
    unsigned short header_bytes;
    unsigned char magic[2];
    unsigned short info_bytes, reserved;
    unsigned char big_endian, charset_family, char_bytes, more_reserved, format[4], version[8], padding[8];
    unsigned entries, end[3];
} icudt${number}_dat __attribute__((aligned(16))) = {32, {0xda, 0x27}, 20, 0, 0, 0, 2, 0, {'T', 'o', 'C', 'P'}, {1}, {0}, 0, {0}};
C
}
missing=
while read -r library path; do
    [[ ! $library =~ $of_glibc && ! $library =~ $of_libtorch ]] || continue
    if [ "$path" = - ]; then
        missing+=" $library"
    elif [[ $library =~ $of_gcc ]]; then
        take "$path" "$bundle/lib/gcc/$library"
    elif [[ $library = libicudata.so.* ]] && empty_icu_data "$library" "$bundle/lib/$library"; then
        printf '%s\t%s\n' "lib/$library" "$path" >>"$sources"
    else
        take "$path" "$bundle/lib/$library"
    fi
done < <(copied)
[ -z "$missing" ] || fail 66 "libraries that programs or Open MPI plugins need are absent here:$missing"
chmod -R u+w "$bundle"
mapfile -t elf_files < <(find "$bundle" -type f \( -path '*/libexec*/*' -o -regex '.*[.]so\([.][0-9.]*\)?' \))
of_newer_glibc=libblip_glibc.so.0
"${CXX:-c++}" -std=c++20 -O2 -Wall -Wextra -Werror -fPIC -fno-exceptions -shared -nodefaultlibs -Wl,--build-id=none \
    -Wl,-soname,$of_newer_glibc -o "$bundle/lib/$of_newer_glibc" env/release/newer_glibc.cpp -lc
strip --strip-unneeded "${elf_files[@]}" "$bundle/lib/$of_newer_glibc"
users=$(python3 env/release/older_glibc.py "$bundle/lib/$of_newer_glibc" "${elf_files[@]}")
if [ -n "$users" ]; then
    xargs -d '\n' patchelf --add-needed $of_newer_glibc <<<"$users"
    elf_files+=("$bundle/lib/$of_newer_glibc")
    printf '%s\t%s\n' lib/$of_newer_glibc env/release/newer_glibc.cpp >>"$sources"
else
    rm "$bundle/lib/$of_newer_glibc"
fi
# The bundle's own libraries come first (DT_RPATH), whatever LD_LIBRARY_PATH a site sets; LibTorch's folders are put there by
# the launcher.
for file in "${elf_files[@]}"; do
    case $file in
        */libexec*/*) patchelf --force-rpath --set-rpath "\$ORIGIN/../lib" "$file" ;;
        */lib/*/*) patchelf --force-rpath --set-rpath "\$ORIGIN/.." "$file" ;;
        *) patchelf --force-rpath --set-rpath "\$ORIGIN" "$file" ;;
    esac
done

# ---- the rest --------------------------------------------------------------------------------------------------------
cp data_prep/*vocab* "$bundle/share/blip_mpi"
cp jobs/* "$bundle/jobs"
sed -i -e 's|\$BLIP_HOME/build/bin/blip_mpi|$BLIP_HOME/bin/blip_mpi|' -e 's|MPIRUN:=mpirun}|MPIRUN:=$BLIP_HOME/bin/mpirun}|' "$bundle"/jobs/*.{sbatch,flux,pbs}
cp LICENSE "$bundle"
install -m 755 env/bundle_launch.sh "$bundle/libexec/launch"
for program in "${torchy[@]}"; do ln -s launch "$bundle/libexec/${program##*/}"; done
names=(blip_mpi coco_pack make_sample mpirun orted)
if [ -n "$with_gpu_tests" ]; then
    names+=(gpu_tests nccl_tests)
    install -m 755 env/run_gpu_tests.sh env/gpu_first.sh env/bench_torch.py env/trace_table.py "$bundle"
    # The tests look for their data below the first folder above them that holds data_prep and tests.
    mkdir -p "$bundle/tests/golden" "$bundle/data_prep"
    cp tests/tolerances.h "$bundle/tests"
    cp -r tests/golden/data "$bundle/tests/golden"
    cp data_prep/*vocab* "$bundle/data_prep"
fi
for name_of_program in "${names[@]}"; do ln -s ../libexec/launch "$bundle/bin/$name_of_program"; done
# The highest version of each that files here cannot do without; the launcher compares.
needs() { # GLIBC|GLIBCXX FILE...
    readelf -VW "${@:2}" 2>/dev/null | sed -nE "s/^ .* Name: $1_([0-9.]+)  Flags: none  Version: .*/\1/p" | sort -uV | tail -n 1
}
mapfile -t without_gcc < <(printf '%s\n' "${elf_files[@]}" | grep -v /lib/gcc/)
{
    echo "version=$version"
    echo "commit=$(git describe --always --dirty 2>/dev/null || echo unknown)"
    echo "glibc=$(needs GLIBC "${elf_files[@]}")"
    echo "glibcxx=$(needs GLIBCXX "${without_gcc[@]}")"
    echo "libtorch=2.11"
} >"$bundle/libexec/requirements"
ln -s ../LICENSE "$bundle/licences/blip_mpi.txt"
# Debian keeps a package's licence in /usr/share/doc; elsewhere the list of libraries has to do.
find "$bundle" -regex '.*[.]so\([.][0-9.]*\)?' -printf '%f\n' | sort >"$bundle/licences/libraries.txt"
if command -v dpkg-query >/dev/null; then
    mapfile -t packages < <(cut -f2 "$sources" | xargs -d '\n' realpath | sed 'p; s|^/usr||' | xargs -d '\n' dpkg-query -S 2>/dev/null | sed 's/:.*//' | sort -u)
    for package in "${packages[@]}"; do
        cp -L "/usr/share/doc/$package/copyright" "$bundle/licences/$package.txt" || fail 66 "no licence of $package"
    done
fi
# all times are that of the commit, so that the same build gives the same bytes
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
python3 env/release/spdx.py "$version" "$(date -u -d "@$epoch" +%Y-%m-%dT%H:%M:%SZ)" <"$sources" >"$bundle/licences/blip_mpi.spdx" || exit 66
rm "$sources"
# Packages of one source have one text, at times of megabytes: kept once, and packed.
find "$bundle/licences" -type f -name '*.txt' -size +100k -exec gzip -9n {} +
declare -A kept=()
for file in "$bundle"/licences/*; do
    digest=$(sha256sum <"$file")
    if [ -n "${kept[$digest]:-}" ]; then
        ln -sf "${kept[$digest]}" "$file"
    else
        kept[$digest]=${file##*/}
    fi
done
cat >"$bundle/README.txt" <<README
blip_mpi $version for x86-64 Linux with glibc $(sed -n 's/^glibc=//p' "$bundle/libexec/requirements") or later. Beside this folder it needs LibTorch 2.11:
a torch 2.11 wheel (the CUDA 13.0 one to use GPUs) or an unpacked libtorch zip.

  export LIBTORCH=/path/to/site-packages
  bin/blip_mpi --help
  bin/coco_pack --coco DIR --out coco.h5
  bin/mpirun -np 8 bin/blip_mpi train --config jobs/caption_coco.cfg --data coco.h5 --init model_base_capfilt_large.pth --output out

The folder may be moved. Over several hosts it must have the same path on each. licences/ holds those of the libraries in lib/
(blip_mpi.spdx lists them), unchanged but for their search paths and the versions of glibc that they ask for; their sources are those of the distribution that they come from: $(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release).
README
(cd "$bundle" && find . -type f ! -name SHA256SUMS -print0 | sort -z | xargs -0 sha256sum >SHA256SUMS)
chmod -R go=u-w "$bundle"
bytes=$(du -sb "$bundle" | cut -f1)
rm -rf "${output:?}/$name" "$output/$name.tar.gz"
mv "$bundle" "$output/$name"
trap - EXIT
tar -C "$output" --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner --format=gnu -cf - "$name" | gzip -n >"$output/.$name.tar.gz"
mv "$output/.$name.tar.gz" "$output/$name.tar.gz"
packed=$(stat -c %s "$output/$name.tar.gz")
[ -z "$with_gpu_tests" ] || [ "$packed" -lt $((64 << 20)) ] || fail 70 "the archive has $((packed >> 20)) MiB, 64 at most: a shorter CUDA_ARCHS= makes it smaller"
echo "$output/$name: $((bytes >> 20)) MiB, $output/$name.tar.gz: $(du -sm "$output/$name.tar.gz" | cut -f1) MiB"
