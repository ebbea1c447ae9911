#!/usr/bin/env bash
# Packed files that other programs wrote again (h5repack, h5py) train to the same bytes, whatever the structures, layouts
# and texts they chose; pictures that are not in one piece are refused with the remedy, which works.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
draw_sample 12
pack=$bin/coco_pack new=$scratch/new.h5
train 1 "$scratch/whole" --epochs 1 --max-steps 4 --no-evaluate
[ "$status" = 0 ] || { cat "$output"; echo "0 passed, 1 failed, 0 skipped"; exit 1; }

# structures_are VERSION: of $new's superblock, at the place given by the second argument
structures_are() { is "$(od -An -tu1 -j $((${2:-0} + 8)) -N 1 "$new" | tr -d ' ')" "$1" "the version of the superblock"; }
# trains_the_same: $new passes --check and trains to the bytes of $data
trains_the_same() {
    run "$pack" --check "$new"
    exits 0
    rm -rf "$scratch/again"
    data=$new train 1 "$scratch/again" --epochs 1 --max-steps 4 --no-evaluate
    exits 0
    same_weights "$scratch/whole" "$scratch/again"
}
repack() { h5repack "$@" "$data" "$new" || fail "h5repack $*"; }
# Debian's h5py is for Debian's Python, which need not be the first.
python_with_h5py() {
    local python
    for python in python3 /usr/bin/python3; do
        if "$python" -c 'import h5py' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    return 1
}

if command -v h5repack >/dev/null; then
    new_case "h5repack, with the oldest structures"
    repack; structures_are 0; trains_the_same; says "new.h5: another program wrote its structures, without checksums"

    new_case "h5repack, with the newest ones"
    rm "$new"; repack -L; structures_are 3; trains_the_same; says_not "without checksums"

    new_case "h5repack, everything but the pictures compressed, in chunks or in object headers, behind another program's block"
    rm "$new"; head -c 512 /dev/zero >"$scratch/block"
    repack -u "$scratch/block" -b 512 -l test/heights:COMPA -l val/tokens:CHUNK=8x8 -f train/tokens,train/texts,train/widths,vocabulary:GZIP=6
    structures_are 0 512; trains_the_same

    new_case "pictures in pieces are refused with the remedy, which makes them training data again"
    rm "$new"; repack -f GZIP=1
    run "$pack" --check "$new"; exits 65; says "dataset 'pixels' is not stored in one piece"; says "h5repack -l CONTI -f NONE FILE NEW"
    data=$new train 1 "$scratch/refused" --epochs 1; exits 65; says "h5repack -l CONTI -f NONE FILE NEW"
    mv "$new" "$scratch/pieces.h5"
    data=$scratch/pieces.h5 repack -l CONTI -f NONE; trains_the_same
else
    for name in "the oldest structures" "the newest ones" "layouts" "the remedy"; do skips "h5repack: $name" "no h5repack: env/setup.sh"; done
fi

new_case "h5py, with texts of variable length"
if python=$(python_with_h5py); then
    rm -f "$new"
    "$python" tests/faults/files/copy_by_h5py.py "$data" "$new" || fail "h5py cannot copy the file"
    structures_are 0; trains_the_same
else
    skip_case "no h5py: env/setup.sh"
fi

new_case "a disk that cannot read the tables is not called damage"
if [ "$(id -u)" = 0 ] && command -v strace >/dev/null; then
    for read in 1 8 20 100; do
        run strace -f -qq -o /dev/null -P "$data" -e trace=pread64 -e inject=pread64:error=EIO:when=$read "$pack" --info "$data"
        exits 74; says "sample.h5"; says "file read failed: Input/output error"; says_not "damaged"
    done
else
    skip_case "needs root and strace"
fi

summary
