#!/usr/bin/env bash
# test: limit=600
# `blip_mpi check`: good on one and two ranks, with the losses that a plain run has, and nothing left; and with a fault
# planted in each part, that part and no earlier one is said to fail.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
mkdir -p "$scratch/work"
# check RANKS ARGUMENT...: below $scratch/work; one compute thread a rank
check() {
    local launch=(mpirun -np "$1")
    [ "$1" -gt 1 ] || launch=()
    run timeout -k 5 300 env -C "$scratch/work" "${fault[@]}" "${launch[@]}" "${program:-$blip}" check --threads 1 "${@:2}"
}
fault=(env)
parts="ranks clocks products GPU_memory GPU_health output pictures packed_file training"
# good PART...: these are, and the others are not
told() { sed -nE "s/^$1 +(GPU memory|GPU health|packed file|[a-z]+) .*/\1/p" "$output" | tr ' ' '_' | tr '\n' ' ' | sed 's/ $//'; }
# fails_in PART TEXT: this one alone fails, and says so
fails_in() {
    is "$(told FAILED)" "$1" "parts that fail"
    says "$2"; says "see the lines with FAILED"
}
leaves_nothing() { is "$(find "$scratch/work" -mindepth 1)" "" "what is left"; }

new_case "one rank: all good"
check 1
exits 0; says "all good"
is "$(told ok)" "$parts" "good parts"
leaves_nothing
losses=$(sed -nE 's/^ok +training .* from ([0-9.]+) to ([0-9.]+),.*/\1 \2/p' "$output")
new_case "two ranks, into a folder that is not there: all good, and it is gone again"
check 2 --output a/b
exits 0; says "2 ranks on 1 host"
is "$(told ok)" "$parts" "good parts"
leaves_nothing
new_case "the losses are those of a plain run with the same options"
"$bin/make_sample" --out "$scratch/same" --train 128 --val 2 --test 2 >/dev/null && "$bin/coco_pack" --coco "$scratch/same" --out "$scratch/same.h5" >/dev/null 2>&1
run "$blip" train --data "$scratch/same.h5" --output "$scratch/same_run" --model tiny --augment off --init-lr 1e-3 --epochs 1 \
    --global-batch 32 --micro-batch 32 --no-evaluate --no-peak --no-progress --threads 1
exits 0
log_query "
assert len(logs[0]) == 20, len(logs[0])
for step, told in zip((1, 20), '$losses'.split()):
    assert abs(logs[0][step]['loss'] - float(told)) <= 1e-4, (step, logs[0][step]['loss'], told)" "$scratch/same_run"

# Functions of libraries that go wrong: FAULT names which.
cat >"$scratch/faults.cpp" <<'SOURCE'
#include <dlfcn.h>
#include <mpi.h>
#include <cstdio>
#include <jpeglib.h>
#include <cstdlib>
#include <cstring>
#include <ctime>
static bool planted(const char* name) { const char* faults = std::getenv("FAULT"); return faults != nullptr && std::strstr(faults, name) != nullptr; }
static bool on_rank_1() { const char* rank = std::getenv("OMPI_COMM_WORLD_RANK"); return rank != nullptr && !std::strcmp(rank, "1"); }
template <class Function> static Function* real(const char* name) { return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name)); }
extern "C" {
int clock_gettime(clockid_t clock, timespec* time) noexcept {
    static auto* const own = real<int(clockid_t, timespec*)>("clock_gettime");
    const int result = own(clock, time);
    if (clock == CLOCK_REALTIME && planted("clocks") && on_rank_1()) time->tv_sec += 60;
    return result;
}
int MPI_Isend(const void* buffer, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm, MPI_Request* request) {
    if (count >= 65536 && planted("ranks") && on_rank_1()) ++*static_cast<unsigned char*>(const_cast<void*>(buffer));
    return PMPI_Isend(buffer, count, type, to, tag, comm, request);
}
JDIMENSION jpeg_read_scanlines(j_decompress_ptr info, JSAMPARRAY rows, JDIMENSION most) {
    const JDIMENSION read = real<JDIMENSION(j_decompress_ptr, JSAMPARRAY, JDIMENSION)>("jpeg_read_scanlines")(info, rows, most);
    if (read > 0 && info->output_width == 24 && planted("pictures")) rows[0][0] ^= 1;
    return read;
}
void sgemm_(const char* ta, const char* tb, const int* m, const int* n, const int* k, const float* alpha, const float* a, const int* lda,
            const float* b, const int* ldb, const float* beta, float* c, const int* ldc) {
    real<void(const char*, const char*, const int*, const int*, const int*, const float*, const float*, const int*, const float*,
              const int*, const float*, float*, const int*)>("sgemm_")(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    if (planted("products") && *k == 32 && *m == 80) c[7] += 1;
}
}
SOURCE
# shellcheck disable=SC2046  # words
g++ -std=c++20 -O1 -shared -fPIC -o "$scratch/faults.so" "$scratch/faults.cpp" -DOMPI_SKIP_MPICXX $(mpicxx --showme:compile) -ldl ||
    { fail "the faults do not compile"; summary; exit; }
new_case "a damaged message, a clock a minute ahead, a wrong product and other pixels are each told of, and nothing else"
fault=(env LD_PRELOAD="$scratch/faults.so" FAULT="ranks clocks products pictures")
check 2
exits 70
is "$(told ok)" "GPU_memory GPU_health output packed_file training" "good parts"
is "$(told FAILED)" "ranks clocks products pictures" "parts that fail"
grep -qE 'a sum over ranks: [12] of [0-9]+ numbers are wrong' "$output" || fail "nothing of the sum"
says "60 s ahead of that of"
says "a product of matrices in fp32: 1 of 7680 numbers are wrong"
says "a JPEG with known pixels is decoded to others"
says "see the lines with FAILED"
leaves_nothing
fault=(env)

new_case "a folder that cannot be written to: 74, and what is not drawn is not tried"
check 1 --output /proc/x
exits 74; says "--output /proc/x: cannot create the folder"
is "$(told FAILED)" "output packed_file training" "parts that fail"
new_case "a disk that is full"
if ! unshare -rm true 2>/dev/null; then
    skip_case "no namespaces here (unshare)"
else
    # shellcheck disable=SC2016
    run unshare -rm bash -c 'mount -t tmpfs -o size=24m none "$1/work" && cd "$1/work" && "$2" check --threads 1' bash "$scratch" "$blip"
    exits 74; says "No space left on device"
    [[ $(told FAILED) = output* ]] || fail "parts that fail: $(told FAILED)"
fi

# An installation in which a program is not what it should be.
mkdir -p "$scratch/bad/bin"
ln -s "$(realpath "$build/torch")" "$scratch/bad/torch"
ln -s "$root/data_prep" "$scratch/data_prep"
cp "$bin"/* "$scratch/bad/bin"
program=$scratch/bad/bin/blip_mpi
new_case "a packed file with a damaged byte"
mv "$scratch/bad/bin/coco_pack" "$scratch/bad/bin/real_pack"
cat >"$scratch/bad/bin/coco_pack" <<'PACK'
#!/bin/bash
"$(dirname "$0")/real_pack" "$@" || exit
file=${!#}
python3 - "$file" <<'PYTHON'
import sys
data = bytearray(open(sys.argv[1], 'rb').read())
data[len(data) // 2] ^= 1
open(sys.argv[1], 'wb').write(data)
PYTHON
PACK
chmod +x "$scratch/bad/bin/coco_pack"
check 1
exits 65; says "FAILED packed file"; says_not "FAILED pictures"
new_case "a packer that is not there"
rm "$scratch/bad/bin/coco_pack"
check 1
exits 70; says "coco_pack cannot be started: No such file or directory"
is "$(told FAILED)" "packed_file training" "parts that fail"
mv "$scratch/bad/bin/real_pack" "$scratch/bad/bin/coco_pack"
new_case "training on other pictures than those that the losses belong to"
mv "$scratch/bad/bin/make_sample" "$scratch/bad/bin/real_sample"
printf '#!/bin/sh\nexec "${0%%/*}/real_sample" "$@" --seed 2\n' >"$scratch/bad/bin/make_sample"
chmod +x "$scratch/bad/bin/make_sample"
check 1
exits 70; fails_in training "they must be"
leaves_nothing

mv "$scratch/bad/bin/real_sample" "$scratch/bad/bin/make_sample"
new_case "a pretended GPU: all good"
if [ ! -x "$build/tests/blip_mpi_fake_cuda" ]; then
    skip_case "built without CUDA"
else
    cp "$build/tests/blip_mpi_fake_cuda" "$scratch/bad/bin"
    program=$scratch/bad/bin/blip_mpi_fake_cuda
    check 1 --device cuda
    exits 0; is "$(told ok)" "$parts" "good parts"
    grep -qE '^ok +GPU memory +at least .* written and read' "$output" || fail "nothing of the memory"
fi
summary
