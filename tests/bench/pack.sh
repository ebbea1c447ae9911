#!/usr/bin/env bash
# Pictures a second of processor time that coco_pack packs, from its start to its end, out of a folder and out of a tar of the
# same files, beside decoding them alone (image_bench) and the ten lines of Pillow and h5py that people write for it, in
# turns. Pictures: COCO's where they are (BLIP_COCO_DIR), else make_sample's. Called by `make bench`.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BLIP_BUILD:-build}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
rounds=50 # of 40 pictures: the program's start then counts for little, as with real data
from=${BLIP_COCO_DIR:-../shared/data/coco2014-mini}
if [ ! -d "$from" ]; then
    from=$scratch/sample
    "$build/bin/make_sample" --out "$from" >/dev/null
fi
mkdir "$scratch/decoded" "$scratch/folder"
mapfile -t files < <(find "$from/" -name '*.jpg' | sort | head -n 40)
cp "${files[@]}" "$scratch/decoded"
for round in $(seq $rounds); do
    for file in "${files[@]}"; do
        name=$round-$(basename "$file" .jpg)
        cp "$file" "$scratch/folder/$name.jpg"
        echo "a caption" >"$scratch/folder/$name.txt"
    done
done
tar -cf "$scratch/tar.tar" --sort=name -C "$scratch/folder" .
rate() { # COMMAND...: pictures a second of its processor time, "-" where it fails
    local TIMEFORMAT='%U %S' times
    { times=$({ time "$@" >/dev/null 2>&1; } 2>&1); } || { echo - && return; }
    awk -v pictures=$((rounds * ${#files[@]})) '{printf "%.0f\n", pictures / ($1 + $2)}' <<<"$times"
}
packed() { # FOLDER-OR-TAR
    rm -f "$scratch/out.h5" # removing an old one is no packing
    rate "$build/bin/coco_pack" "$1" --out "$scratch/out.h5" --encoding file --threads 1
}
cat >"$scratch/pack.py" <<'END'
import glob, sys
import h5py, numpy, PIL.Image

with h5py.File(sys.argv[2], "w") as out:
    for number, path in enumerate(sorted(glob.glob(sys.argv[1] + "/*.jpg"))):
        pixels = numpy.asarray(PIL.Image.open(path).convert("RGB"))
        out.create_dataset(f"{number}/pixels", data=pixels)
        with open(path[:-3] + "txt") as caption:
            out[f"{number}"].attrs["caption"] = caption.read()
END
python=$(python3 -c 'import h5py, PIL' 2>/dev/null && echo python3 || echo /usr/bin/python3) # Debian's Python has Debian's h5py
decoded() {
    BLIP_COCO_DIR=$scratch/decoded "$build/bench/image_bench" --benchmark_filter='^decode$' --benchmark_format=csv 2>/dev/null |
        awk -F, '/^"decode"/ {printf "%.0f\n", 1000 / $4}'
}
echo "pictures/s and core: decoding alone, packing a folder, packing a tar, Pillow and h5py with a folder"
for _ in 1 2 3 4 5; do
    echo "$(decoded) $(packed "$scratch/folder") $(packed "$scratch/tar.tar") $(rate "$python" "$scratch/pack.py" "$scratch/folder" "$scratch/python.h5")"
done | tee "$scratch/rates"
for column in 1 2 3 4; do cut -d' ' -f$column "$scratch/rates" | sort -n | sed -n 3p; done | paste -sd' ' |
    awk '{printf "medians %d %d %d %s: packing a folder is %.2f of decoding alone, a tar %.2f; Pillow and h5py %.2f\n", $1, $2, $3, $4, $2 / $1, $3 / $1, $4 / $1}'
