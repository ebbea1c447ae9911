#!/usr/bin/env bash
# test: quick
# env/containers: the packages that the Dockerfile installs into its last stage bring every library that the programs load, but
# for LibTorch's, and none that they do not need.
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
if [ "$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)" != bookworm ] || ! command -v dpkg-query >/dev/null; then
    skips "the container's packages" "they are those of Debian bookworm"
    finish
fi
# Only what a program names itself: what those libraries need comes with their packages.
new_case "the packages of the libraries that the programs name are those of the Dockerfile"
for program in blip_mpi blip_mpi_cpu blip_mpi_score coco_pack make_sample; do
    readelf -d "$bin/$program" | sed -nE 's/.*\(NEEDED\).*\[(.*)\]/\1/p'
done | sort -u | grep -vE '^lib(torch|c10|c|m|dl|gcc_s|stdc\+\+|pthread)[._]|^ld-' | while read -r library; do
    path=$(ldconfig -p | awk -v name="$library" '$1 == name {print $NF; exit}')
    { dpkg-query -S "$path" || dpkg-query -S "${path#/usr}" || dpkg-query -S "$(realpath "$path")"; } 2>/dev/null | head -n 1 | sed 's/:.*//'
done | sort -u >"$scratch/needed"
sed -n '/^FROM debian:bookworm$/,$p' env/containers/Dockerfile | tr ' \\' '\n\n' | grep -E '^(lib|zlib)[a-z0-9.-]+$' | sort -u >"$scratch/listed"
[ "$(wc -l <"$scratch/needed")" -gt 10 ] || fail "no libraries were found"
# Open MPI's come with openmpi-bin
is "$(comm -23 <(grep -v '^libopenmpi' "$scratch/needed") "$scratch/listed" | tr '\n' ' ')" "" "packages that the Dockerfile lacks"
is "$(comm -13 "$scratch/needed" "$scratch/listed" | tr '\n' ' ')" "" "packages that no program needs"
summary
