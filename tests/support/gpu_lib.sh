# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # variables of who sources it
# Sourced behind run_lib.sh: libraries that play NVML and the driver beside the pretended device (tests/fake_cuda).
# play_gpus: they lie in $scratch/lib, an older driver's in $scratch/old, for LD_LIBRARY_PATH
play_gpus() {
    local folder
    mkdir -p "$scratch/lib" "$scratch/old" "$scratch/gpus"
    export FAKE_GPUS=$scratch/gpus
    for folder in lib old; do
        ${CC:-gcc} -shared -fPIC -o "$scratch/$folder/libcuda.so.1" "$root/tests/fake_cuda/driver.c" &&
            ${CC:-gcc} -shared -fPIC -D"${folder^^}" -o "$scratch/$folder/libnvidia-ml.so.1" "$root/tests/fake_cuda/nvml.c" || exit 70
    done
}
# is_so NUMBER LINE...: what NVML tells of the GPU 0000:NUMBER:00.0; the first is 10
is_so() { printf '%s\n' "${@:2}" >"$scratch/.gpu" && mv "$scratch/.gpu" "$scratch/gpus/0000:$1:00.0"; }
# reports NUMBER [XID...]: that GPU reports errors, and these are new
reports() { printf '%s\n' "${@:2}" | sed '/^$/d' >>"$scratch/gpus/0000:$1:00.0.xid"; }
healthy=("temperature 45" "reasons 0x4" "milliwatts 312900" "sm 1905" "sm_max 1980" "memory 2619" "ecc 0")
