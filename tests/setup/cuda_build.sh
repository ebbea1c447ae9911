#!/usr/bin/env bash
# test: quick
# What a build with CUDA is made of: one NCCL and one CUDA runtime in the program, LibTorch's own, whatever LD_LIBRARY_PATH
# offers; GPU code for every architecture asked for; and what the Makefile says where something is missing.
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
program=$bin/blip_mpi_cuda
# A make of its own: settings of the one that runs the tests must not reach it.
in_make() { run env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES make --no-print-directory BUILD="$scratch/build" "$@"; }
# libraries FILE: "NAME PATH" of each that the loader takes, links resolved
libraries() { ldd "$1" | awk '$2 == "=>" && $3 ~ /^\// {print $1, $3}' | while read -r name path; do echo "$name $(realpath "$path")"; done | sort; }
# one_of NAME: the program's only library of that name is the one that LibTorch takes by itself
one_of() {
    is "$(grep -c "^$1" "$scratch/of_program")" 1 "copies of $1"
    is "$(grep "^$1" "$scratch/of_program")" "$(grep "^$1" "$scratch/of_torch")" "path of $1"
}

new_case "CUDA=1 where it cannot be: 66, and what is missing; CUDA=0: none of it; nonsense is refused"
in_make found CUDA=1 CUDA_HOME="$scratch/nowhere"
says "CUDA=1 asks for CUDA, and this is missing: nvcc (CUDA_HOME=)"; says "Error 66"
in_make found CUDA=auto CUDA_HOME="$scratch/nowhere"
exits 0; says "off: not found: nvcc"
in_make --dry-run build tests CUDA=0
exits 0; says_not nvcc; says_not torch_cuda
in_make found CUDA=/usr/local/cuda
says "CUDA=/usr/local/cuda is none of auto, 0 and 1; paths go into CUDA_HOME="

if [ ! -x "$program" ]; then
    end_case
    skips "libraries and GPU code of blip_mpi_cuda" "built without CUDA"
    finish
fi

new_case "one NCCL and one CUDA runtime: those of LibTorch"
libraries "$program" >"$scratch/of_program"
torch_cuda=$(awk '$1 == "libtorch_cuda.so" {print $2}' "$scratch/of_program")
libraries "$torch_cuda" >"$scratch/of_torch"
one_of libnccl.so; one_of libcudart.so
run ldd "$program"
is "$(grep 'not found' "$output" | grep -v 'libcuda\.so')" "" "libraries not found"

new_case "others on LD_LIBRARY_PATH change nothing"
LD_LIBRARY_PATH=$(realpath "$build/tests/fakes/cudart"):$(realpath "$build/tests/fakes/nccl")${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} libraries "$program" >"$scratch/of_program"
one_of libnccl.so; one_of libcudart.so

new_case "blip_mpi_cpu holds no CUDA libraries but those of the CPU LibTorch: it starts fast where there is none"
libraries "$bin/blip_mpi_cpu" >"$scratch/of_program"
is "$(grep -cE '^lib(torch_cuda|c10_cuda|nccl)' "$scratch/of_program")" 0 "CUDA libraries"

new_case "GPU code for every architecture, and for later ones"
in_make found
archs=$(sed -n 's/^ *CUDA .* for //p' "$output" | tr ' ' '\n' | sort | tr '\n' ' ')
newest=$(tr ' ' '\n' <<<"$archs" | sort -V | tail -n 1)
mapfile -t kernels < <(find src -name '*.cu' | sed "s|.*|$build/obj/&.o|")
for file in "${kernels[@]}" "$program"; do
    run python3 tests/support/fatbin_targets.py "$file"
    exits 0
    while read -ra found; do
        is "$(printf '%s\n' "${found[@]}" | grep '^sm_' | sort | tr '\n' ' ')" "$archs" "architectures in $file"
        is "$(printf '%s\n' "${found[@]}" | grep compute_)" "compute_${newest#sm_}" "virtual architectures in $file"
    done <"$output"
    [ "$file" = "$program" ] || [ -s "$output" ] || fail "no GPU code in $file"
done
[ ${#kernels[@]} -gt 0 ] || fail "no kernels in the sources"
summary
