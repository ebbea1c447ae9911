#!/usr/bin/env bash
# `make gpu-first`, which holds all that `make bundle` does: moved elsewhere, it runs on a machine that has LibTorch and
# hardly anything else (a root of its own with a shell, a few tools and glibc), takes no library from outside, and refuses a
# wrong LibTorch in words.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
# shellcheck source=tests/support/hide_lib.sh
. "$(dirname "$0")/../support/hide_lib.sh"
torch=$(realpath "${LIBTORCH:-${BLIP_DEPS:-$HOME/.cache/blip_mpi}/torch-2.11.0-cu130}")
if ! command -v patchelf >/dev/null; then
    skips bundle "patchelf is not installed: env/setup.sh"
    finish
fi

new_case "is made"
kind='' programs=(blip_mpi coco_pack make_sample mpirun orted)
if [ -x "$build/tests/gpu" ]; then
    kind=gpu-tests
    programs+=(gpu_tests)
fi
run env/bundle.sh "$build" "$scratch/made" $kind
exits 0
archive=$(compgen -G "$scratch/made/blip_mpi-*-x86_64.tar.gz") || fail "no archive"
mkdir "$scratch/elsewhere"
tar -C "$scratch/elsewhere" -xzf "$archive"
digest=$(sha256sum <"$archive")
rm -rf "$scratch/made"
bundle=$(echo "$scratch"/elsewhere/*)
for name in "${programs[@]}"; do [ -x "$bundle/bin/$name" ] || fail "no bin/$name"; done
is "$(find "$bundle" -xtype l)" "" "links that lead nowhere"
new_case "made again it has the same bytes"
run env/bundle.sh "$build" "$scratch/made" $kind
exits 0
is "$(sha256sum <"$scratch"/made/*.tar.gz)" "$digest" "sha256 of the archive"
rm -rf "$scratch/made"
new_case "the licence of every library is listed, and its text is there"
find "$bundle/lib" -type f -printf 'lib/%P\n' | sort >"$scratch/carried"
python3 - "$bundle/licences" "$scratch/carried" >"$output" 2>&1 <<'PYTHON' || fail "see below"
import pathlib, re, shutil, sys
licences, carried = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]).read_text().split()
listed = {}
for block in (licences / 'blip_mpi.spdx').read_text().split('\n\n')[1:]:
    fields = dict(line.split(': ', 1) for line in block.splitlines())
    for file in fields.get('PackageComment', '').split():
        listed[file] = (fields['PackageName'], fields['PackageLicenseDeclared'])
assert len(carried) > 50, carried
for file in carried:
    package, licence = listed[file]
    if shutil.which('dpkg-query'):
        assert re.fullmatch(r"[A-Za-z0-9.+-]+( (AND|OR|WITH) [A-Za-z0-9.+-]+)*", licence) and licence != 'NOASSERTION', (file, licence)
        text = [licences / f'{package}.txt', licences / f'{package}.txt.gz']
        assert any(one.is_file() and one.stat().st_size > 100 for one in text), (file, package)
PYTHON
[ ! -x "$build/bin/blip_mpi_cuda" ] || [ -x "$bundle/libexec_torch/blip_mpi_cuda" ] || fail "no blip_mpi_cuda"
(cd "$bundle" && sha256sum --quiet -c SHA256SUMS) >"$scratch/.sums" 2>&1 || fail "$(head -n 3 "$scratch/.sums")"
for word in openmpi hdf5 icu curl; do
    compgen -G "$bundle/licences/*$word*" >/dev/null || [ ! -d /usr/share/doc/libicu-dev ] || fail "no licence of $word"
done
if [ $case_ok = 0 ]; then
    summary
fi

new_case "no library comes from outside, and none but LibTorch's and glibc's is missing"
folders=$torch/torch/lib:$torch/nvidia/nccl/lib:$torch/nvidia/cu13/lib:$torch/lib
outside() { # libraries of the bundle's files that are found elsewhere, this machine's own standing ready
    find "$bundle" -type f \( -path '*/libexec*/*' -o -regex '.*[.]so\([.][0-9.]*\)?' \) ! -path '*/lib/gcc/*' -print0 |
        LD_LIBRARY_PATH=$folders:/usr/lib/x86_64-linux-gnu xargs -0 -n 32 ldd 2>/dev/null |
        awk '/=>/ {print $1, $3 == "not" ? "absent" : $3}' | sort -u |
        grep -vE '^(lib(c|m|dl|rt|pthread|util|resolv)[.]so[.]|libstdc[+][+]|libgcc_s|libcuda[.]so)' |
        grep -vE " ($bundle|$torch)/"
}
is "$(outside)" "" "libraries from outside"

# draws, packs, trains two ranks, captions; in an empty environment. First word: what runs it
cat >"$scratch/session.sh" <<'SESSION'
set -e
bundle=$1 place=$2
cd "$place"
"$bundle/bin/make_sample" --out coco --train 8 --val 4 --test 3
"$bundle/bin/coco_pack" --coco coco --out s.h5
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
"$bundle/bin/mpirun" --oversubscribe --bind-to none -np 2 "$bundle/bin/blip_mpi" train --data s.h5 --output out \
    --model tiny --text-hidden 32 --text-heads 2 --text-intermediate 64 --text-layers 2 --vision-width 32 --vision-depth 2 \
    --vision-heads 2 --image-size 32 --threads 1 --loader-threads 1 --no-progress --global-batch 12 --micro-batch 2 --epochs 1
set -- coco/val2014/*.jpg
"$bundle/bin/blip_mpi" caption --init out/best "$1"
SESSION
worked() { # PLACE
    exits 0
    says "finished after step 3"
    says "COCO_val2014_"
    [ -s "$1/out/best/model.safetensors" ] || fail "no weights"
}
new_case "an empty environment: draw, pack, train two ranks, caption"
mkdir "$scratch/place"
run env -i HOME="$scratch" PATH=/usr/bin:/bin LIBTORCH="$torch" bash "$scratch/session.sh" "$bundle" "$scratch/place"
worked "$scratch/place"
first=$(sha256sum <"$scratch/place/out/best/model.safetensors")

new_case "characters are the same without ICU's data"
[ "$(stat -c %s "$bundle"/lib/libicudata.so.*)" -lt 100000 ] || fail "the bundle has ICU's data"
for tests in unit_text unit_metrics:ptb_tokenizer/lines_equal_the_oracle unit_metrics:words_of_meteor; do
    [ -x "$build/tests/${tests%:*}" ] || continue
    filter=()
    [[ $tests != *:* ]] || filter=(--run_test="${tests#*:}")
    run env LD_LIBRARY_PATH="$bundle/lib" OMP_NUM_THREADS=1 "$build/tests/${tests%:*}" "${filter[@]}"
    exits 0; says " passed, 0 failed"
done

new_case "help, versions, usage errors and scores need no LibTorch"
run env -i PATH=/usr/bin:/bin "$bundle/bin/blip_mpi" train --help
exits 0; says "--global-batch"
run env -i PATH=/usr/bin:/bin "$bundle/bin/blip_mpi" --version --json
exits 0; says '"libtorch": "2.11'
run env -i PATH=/usr/bin:/bin "$bundle/bin/blip_mpi" train
exits 64; says "train needs --data"
echo '{"1": ["a dog runs"]}' >"$scratch/references.json"
echo '[{"image_id": 1, "caption": "a dog runs"}]' >"$scratch/results.json"
run env -i PATH=/usr/bin:/bin "$bundle/bin/blip_mpi" score --references "$scratch/references.json" --results "$scratch/results.json" --metrics bleu
exits 0; says "Bleu_1    1.0000"
run env -i PATH=/usr/bin:/bin "$bundle/bin/blip_mpi" score --references "$scratch/absent.json" --results "$scratch/results.json"
exits 66; says "absent.json"

# A root with nothing but these tools and what they load. libstdc++ and libgcc_s are not among that.
bare=$scratch/bare
bare_root() {
    local tool library
    mkdir -p "$bare"/{usr/bin,usr/lib,tmp,proc,sys,dev,etc,root,bundle,torch} || return
    for library in lib lib64 bin; do ln -s "usr/$library" "$bare/$library"; done
    mkdir -p "$bare/usr/lib64"
    for tool in sh bash env readlink sed grep sort head getconf cat tr sha256sum; do
        cp -L "$(PATH=/usr/bin:/bin type -P $tool)" "$bare/usr/bin" || return
    done
    ldd "$bare"/usr/bin/* | grep -oE '/[^ ]+' | grep -v ':$' | grep -v "^$bare" | sort -u | while read -r library; do
        mkdir -p "$bare/$(dirname "$library")" && cp -L "$library" "$bare/$library"
    done
    for library in libdl libpthread librt libutil libresolv; do
        cp -L /usr/lib/x86_64-linux-gnu/$library.so.? "$bare/usr/lib/x86_64-linux-gnu"
    done
    cp -L /usr/lib/x86_64-linux-gnu/libm.so.6 "$bare/usr/lib/x86_64-linux-gnu"
    echo 'root:x:0:0:root:/root:/bin/sh' >"$bare/etc/passwd"
    [ ! -e "$bare/usr/lib/x86_64-linux-gnu/libstdc++.so.6" ]
}
in_bare_root() { # COMMAND...: there, the bundle at /bundle and LibTorch at /torch
    # shellcheck disable=SC2016
    unshare -rm bash -c '
        bare=$1 bundle=$2 torch=$3
        shift 3
        for folder in proc sys dev; do mount --rbind /$folder "$bare/$folder" || exit 70; done
        mount --bind "$bundle" "$bare/bundle" && mount --rbind "$torch" "$bare/torch" || exit 70
        exec chroot "$bare" "$@"' bash "$bare" "$bundle" "$torch" "$@"
}
new_case "a machine without HDF5, MPI, Boost, libstdc++ and all else: the same"
if ! can_hide || ! bare_root; then
    skip_case "no root of its own can be made here (unshare, /usr/lib/x86_64-linux-gnu)"
else
    cp "$scratch/session.sh" "$bare/tmp"
    run in_bare_root /usr/bin/env -i HOME=/root PATH=/usr/bin:/bin LIBTORCH=/torch bash /tmp/session.sh /bundle /tmp
    worked "$bare/tmp"
    is "$(sha256sum <"$bare/tmp/out/best/model.safetensors")" "$first" "digest of the weights"
fi

# The same root with a glibc that looks like 2.34: versions of functions above that have other names, in those who define them
# and in glibc's own libraries that take them. bash itself may need one of them; sh does not.
older_root() {
    # shellcheck disable=SC2016
    rm -rf "$bare"/tmp/* && cp -a "$bare" "$scratch/older" || return
    bare=$scratch/older
    echo 'int main() { return (int)arc4random() & 0; }' >"$scratch/newer.c"
    "${CC:-cc}" -include stdlib.h -o "$bare/tmp/newer" "$scratch/newer.c" || return
    PYTHONPATH=$root/env/release python3 -B - "$bare" <<'PYTHON'
import pathlib, re, struct, sys
import older_glibc
def hashed(name):    # the ELF specification's hash of a name
    value = 0
    for letter in name:
        value = (value << 4) + letter
        high = value & 0xf0000000
        value = (value ^ high >> 24) & ~high & 0xffffffff
    return struct.pack('<I', value)
newer = rb'GLIBC_2[.](?:3[5-9]|[4-9][0-9])(?=\0)'
changed = set()
for path in sorted(pathlib.Path(sys.argv[1]).glob('usr/lib*/**/*.so*')):
    if not re.fullmatch(r'(ld-linux-x86-64|lib(c|m|dl|pthread|rt|util|resolv))[.]so[.][0-9]', path.name): continue
    file = older_glibc.Elf(path)
    names = set(re.findall(newer, file.bytes))
    for section in filter(None, map(file.of_type, (older_glibc.DEFINED, older_glibc.NEEDED))):
        begin, end = section[4], section[4] + section[5]
        for name in names:    # the hash of a name stands for it in these tables
            file.bytes[begin:end] = file.bytes[begin:end].replace(hashed(name), hashed(name.replace(b'_2', b'_0')))
    path.write_bytes(re.sub(rb'glibc 2[.][0-9]{2}\0', b'glibc 2.34\0', re.sub(newer, lambda found: found[0].replace(b'_2', b'_0'), bytes(file.bytes))))
    changed |= names
assert {b'GLIBC_2.35', b'GLIBC_2.36'} <= changed, changed
PYTHON
}
new_case "a machine with glibc 2.34: the same, and errors are told; a program that needs 2.36 does not start there"
if [ ! -d "$bare/usr" ]; then
    skip_case "no root of its own can be made here (unshare, /usr/lib/x86_64-linux-gnu)"
elif ! grep -q GLIBC_2.36 "$bare/usr/lib/x86_64-linux-gnu/libc.so.6"; then
    skip_case "this machine's glibc is older than 2.36"
elif ! older_root; then
    fail "no such root could be made"
else
    older=(in_bare_root /usr/bin/env -i HOME=/root PATH=/usr/bin:/bin LIBTORCH=/torch)
    run "${older[@]}" getconf GNU_LIBC_VERSION
    says "glibc 2.34"
    run "${older[@]}" /tmp/newer
    exits 1; says "version \`GLIBC_2.36' not found"
    cp "$scratch/session.sh" "$scratch/references.json" "$scratch/results.json" "$bare/tmp"
    run "${older[@]}" sh /tmp/session.sh /bundle /tmp
    worked "$bare/tmp"
    is "$(sha256sum <"$bare/tmp/out/best/model.safetensors")" "$first" "digest of the weights"
    run "${older[@]}" /bundle/bin/blip_mpi score --references /tmp/references.json --results /tmp/results.json --metrics bleu
    exits 0; says "Bleu_1    1.0000"
    run "${older[@]}" /bundle/bin/blip_mpi score --references /tmp/absent.json --results /tmp/results.json
    exits 66; says "absent.json"; says_not "GLIBC"
    # each library that is carried loads, with all that it takes from others
    all=$(cd "$bundle/lib" && find . -maxdepth 1 -name '*.so*' -printf '/bundle/lib/%P:')
    run "${older[@]}" LD_LIBRARY_PATH=/bundle/lib/gcc LD_BIND_NOW=1 LD_PRELOAD="$all" /bundle/libexec/make_sample --help
    exits 0; says_not "cannot be preloaded"; says_not "symbol"; says_not "version"
fi

# A stand-in for ssh starts the second host's daemon here, in an empty environment as a login has it.
new_case "over two hosts: mpirun's daemon, its plugins and LIBTORCH are found on the other one"
mkdir "$scratch/login"
cat >"$scratch/login/ssh" <<'SSH'
#!/bin/bash
while [ "$1" != otherhost ]; do shift; done
echo "login to $1" >&2
exec env -i HOME=/root PATH=/usr/bin:/bin bash -c "${*:2}"
SSH
chmod +x "$scratch/login/ssh"
{ cat /etc/hosts; echo "127.0.0.3 otherhost"; } >"$scratch/hosts"
if ! can_hide; then
    skip_case "no namespaces here (unshare)"
else
    # shellcheck disable=SC2016
    run unshare -rm bash -c 'mount --bind "$1/hosts" /etc/hosts || exit 70; exec env -i "${@:2}"' bash "$scratch" \
        HOME="$scratch" PATH="$scratch/login:/usr/bin:/bin" LIBTORCH="$torch" OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
        timeout -k 5 120 "$bundle/bin/mpirun" --mca btl self,tcp --mca btl_tcp_if_include lo --mca oob_tcp_if_include lo -np 2 \
        --host localhost:1,otherhost:1 --bind-to none "$bundle/bin/blip_mpi" evaluate --data "$scratch/place/s.h5" \
        --init "$scratch/place/out/best" --output "$scratch/over" --split test --threads 1
    exits 0; says "login to otherhost"; says "2 ranks"
    [ -s "$scratch/over/evaluate.json" ] || fail "no scores"
fi

# refused TEXT NAME=VALUE... [COMMAND...]
refused() {
    run env -i HOME="$scratch" PATH=/usr/bin:/bin "${@:2}"
    exits 66
    said_once "$1"
}
new_case "a wrong LibTorch is refused in words, once, with 66"
export=(export --from random --model tiny --to "$scratch/random.safetensors")
refused "LIBTORCH is not set" "$bundle/bin/blip_mpi" "${export[@]}"
refused "holds neither torch/lib/libtorch_cpu.so nor lib/libtorch_cpu.so" LIBTORCH="$scratch" "$bundle/bin/blip_mpi" "${export[@]}"
mkdir -p "$scratch/old/torch/lib" "$scratch/unknown/lib"
touch "$scratch/old/torch/lib/libtorch_cpu.so" "$scratch/unknown/lib/libtorch_cpu.so"
echo "__version__ = '2.10.0+cu130'" >"$scratch/old/torch/version.py"
refused "is version 2.10.0+cu130, not 2.11" LIBTORCH="$scratch/old" "$bundle/bin/blip_mpi" "${export[@]}"
refused "is version unknown, not 2.11" LIBTORCH="$scratch/unknown" "$bundle/bin/blip_mpi" "${export[@]}"
refused "LIBTORCH is not set" OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_plm=isolated \
    "$bundle/bin/mpirun" --oversubscribe -np 2 "$bundle/bin/blip_mpi" "${export[@]}"

new_case "the layout of a libtorch zip"
mkdir "$scratch/zip"
root=$torch/torch
[ -d "$root" ] || root=$torch
ln -s "$root/lib" "$scratch/zip/lib"
echo 2.11.0+cu130 >"$scratch/zip/build-version"
run env -i PATH=/usr/bin:/bin LIBTORCH="$scratch/zip" "$bundle/bin/blip_mpi" "${export[@]}"
exits 0

new_case "a machine with an older glibc is told so"
mkdir "$scratch/tools"
printf '#!/bin/sh\necho glibc 2.17\n' >"$scratch/tools/getconf"
chmod +x "$scratch/tools/getconf"
run env -i PATH="$scratch/tools:/usr/bin:/bin" LIBTORCH="$torch" "$bundle/bin/blip_mpi" --version
exits 66; says "this machine has glibc 2.17, the bundle needs 2."

new_case "its jobs start its programs"
run env -C "$scratch" MPIRUN_OPTIONS="--version" bash "$bundle/jobs/single_node.sbatch"
says "mpirun (Open MPI)"
run env -C "$scratch" MPIRUN=echo bash "$bundle/jobs/evaluate.sbatch"
exits 0; says "$bundle/bin/blip_mpi evaluate --config $bundle/jobs/caption_coco.cfg"

if [ -n "$kind" ]; then
    new_case "run_gpu_tests.sh: without a GPU all is skipped, aloud"
    if nvidia-smi -L >/dev/null 2>&1; then
        skip_case "this machine has a GPU: run it there by itself"
    else
        run env -i HOME="$scratch" PATH=/usr/bin:/bin LIBTORCH="$torch" "$bundle/run_gpu_tests.sh"
        exits 0
        grep -qE '^0 passed, 0 failed, [1-9][0-9]* skipped$' "$output" || fail "$(tail -n 1 "$output")"
        for stage in losses resume ranks sample; do says "skipped: $stage (no GPU"; done
        new_case "run_gpu_tests.sh: REQUIRE_GPU=1 makes that a failure"
        run env -i HOME="$scratch" PATH=/usr/bin:/bin LIBTORCH="$torch" REQUIRE_GPU=1 "$bundle/run_gpu_tests.sh"
        exits 1
        for stage in losses resume ranks sample; do says "FAILED: $stage (no GPU"; done
        grep -qE '^0 passed, [1-9][0-9]* failed' "$output" || fail "$(tail -n 1 "$output")"
    fi
    new_case "gpu_first.sh: on the CPU, in an empty environment"
    run env -i HOME="$scratch" PATH=/usr/bin:/bin LIBTORCH="$torch" DEVICE=cpu OMP_NUM_THREADS=1 PICTURES=4 SIZES=64x48 EPOCHS=1 \
        SMALL="--text-hidden 8 --text-heads 1 --text-intermediate 16 --text-layers 1 --vision-width 8 --vision-depth 1 --vision-heads 1" \
        OUT="$scratch/logs" "$bundle/gpu_first.sh" 'smoke|tests|resume'
    exits 0
    for part in smoke-bf16 smoke-fp32 tests resume; do says "ok   $part ("; done
else
    new_case "run_gpu_tests.sh"
    skip_case "built without CUDA: there are no GPU tests"
fi
summary
