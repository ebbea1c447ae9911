#!/usr/bin/env bash
# One flipped byte anywhere in a packed file is named by --check; signals leave no file behind.
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"

pack="$bin/coco_pack"
sample=$scratch/sample out=$scratch/out.h5 bad=$scratch/bad.h5
"$bin/make_sample" --out "$sample" --train 30 --val 5 --test 5 --seed 6 >/dev/null || exit 70
"$pack" --coco "$sample" --out "$out" >/dev/null || exit 70

# place_of BYTES: where this text (a printf format) first occurs in the packed file
place_of() { LC_ALL=C grep -obUaP -- "$1" "$out" | head -n 1 | cut -d: -f1; }
damaged() { cp "$out" "$bad"; flip_byte "$bad" "$1"; run "$pack" --check "$bad"; exits 65; says "bad.h5"; says "damaged"; }

new_case "a flipped byte of the pixels names the image"
# the pixels of the last split end the file, but for some of its structures
size=$(stat -c %s "$out")
damaged $((size - 20000)); says "image 315 (test, row 4)"; says "1 of 240 elements"

new_case "a flipped byte of a text names the caption"
first=$(sed -E 's/^\[\{"caption":"([^"]*)".*/\1/' "$sample/karpathy/coco_karpathy_train.json")
damaged "$(place_of "$first")"; says "caption row 0 (train, image 42)"

new_case "a flipped byte of the tokens names the caption"
# [DEC], a, picture, of as little-endian 16-bit numbers start each caption; 80 bytes a caption
tokens=$(place_of '\x3a\x77\x0d\x04\x15\x0f\xcd\x07')
damaged $((tokens + 80 * 7 + 10)); says "caption row 7 (train, image 49)"

new_case "a flipped byte of the vocabulary is noticed"
damaged "$(place_of 'zulu')"; says "vocabulary"

new_case "a truncated file is refused"
cp "$out" "$bad"; truncate -s -1 "$bad"
run "$pack" --check "$bad"; exits 65; says "truncated"
run "$pack" --info "$bad"; exits 65

new_case "SIGINT and SIGTERM while packing leave no file behind"
big=$scratch/big
"$bin/make_sample" --out "$big" --train 150 --val 2 --test 2 --size 1600x1200 >/dev/null || exit 70
for signal in INT TERM; do
    "$pack" --coco "$big" --out "$scratch/stopped.h5" --threads 1 >"$output" 2>&1 &
    packing=$!
    for _ in $(seq 200); do
        compgen -G "$scratch/stopped.h5.tmp*" >/dev/null && break
        sleep 0.05
    done
    compgen -G "$scratch/stopped.h5.tmp*" >/dev/null || fail "no temporary file was seen"
    kill -$signal $packing
    wait $packing
    status=$?
    exits "$([ $signal = INT ] && echo 130 || echo 143)"; says "nothing was written"
    leaves_nothing_like "$scratch/stopped.h5*"
done
[ -e "$out" ] || fail "another file is gone"

new_case "what kill -9 left is named by the next run"
touch "$scratch/stopped.h5.tmp.12345"
run "$pack" --coco "$sample" --out "$scratch/stopped.h5"; exits 0; says "stopped.h5.tmp.12345 is what a killed run left"

new_case "a spent quota is told before pictures are packed; a file system that sets no space aside is as good"
if [ "$(id -u)" = 0 ] && command -v strace >/dev/null; then
    run strace -f -qq -o /dev/null -e trace=fallocate -e inject=fallocate:error=EDQUOT "$pack" --coco "$sample" --out "$scratch/full.h5"
    exits 74; says "cannot set space aside for $scratch/full.h5"; says "Disk quota exceeded; free some space or choose another folder"
    says_not "packing"
    leaves_nothing_like "$scratch/full.h5*"
    run strace -f -qq -o /dev/null -e trace=fallocate -e inject=fallocate:error=EOPNOTSUPP "$pack" --coco "$sample" --out "$scratch/full.h5"
    exits 0
    rm "$scratch/full.h5"
else
    skip_case "needs root and strace"
fi

new_case "a full disk while writing leaves no file behind"
if [ "$(id -u)" = 0 ] && command -v strace >/dev/null; then
    run strace -f -qq -o /dev/null -e trace=pwrite64 -e inject=pwrite64:error=ENOSPC:when=60+ "$pack" --coco "$sample" --out "$scratch/full.h5"
    exits 74; says "No space left"
    leaves_nothing_like "$scratch/full.h5*"
else
    skip_case "needs root and strace"
fi

summary
