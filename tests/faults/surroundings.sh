#!/usr/bin/env bash
# Odd surroundings: no HOME, no locale, closed streams, paths of all kinds, a working directory that is gone, files in the
# way, limits on files: it works, or says what is wrong and ends with a code of its own.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
draw_sample 24
short=("${small[@]/12/60}" --micro-batch 12 --epochs 1 --limit 2)    # two steps and an evaluation
alone() { run timeout -k 5 60 "$@"; }    # one process, without mpirun

new_case "no HOME, no TMPDIR, an unknown locale, hardly any environment"
run timeout 60 env -u HOME -u TMPDIR LC_ALL=xx_XX.UTF-9 LANG=xx mpirun -np 2 "$blip" train --data "$data" --output "$scratch/o1" "${short[@]}"
exits 0; says "finished after step 2"
alone env -i "$blip" train --data "$data" --output "$scratch/o1-alone" "${short[@]}"
exits 0
alone env -i LC_ALL=tr_TR.UTF-8 "$blip" caption --init "$scratch/o1/best" "$scratch"/coco/val2014
exits 0

new_case "paths with blanks, quotes and letters of all kinds; relative ones"
odd="$scratch/a  b/ü日本 'q\"uote' #1=%s{}"
mkdir -p "$odd"
cp "$data" "$odd/my data.h5"
run timeout 60 mpirun -np 2 "$blip" train --data "$odd/my data.h5" --output "$odd/out" "${short[@]}"
exits 0
"$blip" train --data "$odd/my data.h5" --output "$odd/out" "${short[@]}" --print-config >"$odd/run it.cfg"
run timeout 60 mpirun -np 2 "$blip" --config "$odd/run it.cfg"
exits 0; says "resuming after step 2"
alone env -C "$odd" "$blip" train --data "my data.h5" --output "./out2/deep er" "${short[@]}"
exits 0
[ -s "$odd/out2/deep er/best/model.safetensors" ] || fail "no weights in the relative output"
alone env -C "$odd/out" "$blip" caption --init best "$scratch"/coco/val2014
exits 0

new_case "the working directory is gone"
# shellcheck disable=SC2016
alone bash -c 'mkdir "$0" && cd "$0" && rmdir "$0" && exec "$@"' "$scratch/gone" "$blip" train --data "$data" --output "$scratch/o2" "${short[@]}"
exits 66; says "the working directory is gone"

new_case "a pipe where a file belongs is refused, not waited for"
mkfifo "$scratch/pipe" "$scratch/pipe.jpg"
alone "$blip" train --data "$scratch/pipe" --output "$scratch/o-pipe" "${short[@]}"
exits 65; says "$scratch/pipe"
alone "$blip" caption --init "$scratch/pipe" "$scratch/coco/val2014"
exits 65; says "$scratch/pipe is not a regular file"
alone "$blip" train --data "$data" --output "$scratch/o-pipe" --init "$scratch/pipe"
exits 65; says "$scratch/pipe is not a regular file"
alone "$blip" caption --init "$scratch/o1/best" "$scratch/pipe.jpg"
exits 65; says "pipe.jpg is not a regular file"
cp -r "$scratch/coco" "$scratch/coco-pipe"
picture=$(find "$scratch/coco-pipe/train2014" -name '*.jpg' | sort | head -n 1)
rm "$picture"
mkfifo "$picture"
alone "$bin/coco_pack" --coco "$scratch/coco-pipe" --out "$scratch/pipe.h5"
exits 65; says "$picture is not a regular file"

new_case "closed streams: no line of a log gets into a file of the run"
(exec <&- >&- 2>&-; timeout 60 "$blip" train --data "$data" --output "$scratch/o3" "${short[@]}")
is $? 0 "exit code"
: >"$output"
run "$blip" verify --deep "$scratch/o3"
exits 0
alone "$blip" train --data "$data" --output "$scratch/o3-open" "${short[@]}"
exits 0
same_weights "$scratch/o3" "$scratch/o3-open"
(exec <&- >&- 2>&-; timeout 60 "$blip" train --data "$scratch/absent.h5" --output "$scratch/o3")
is $? 66 "exit code"

new_case "a long command line, and one option many times"
many=()
for ((k = 0; k < 400; ++k)); do many+=("$scratch/$(printf './%.0s' {1..500})coco/val2014"); done
alone "$blip" caption --init "$scratch/o3/best" "$scratch/absent.jpg" "${many[@]:0:1}"
exits 66; says "absent.jpg"
alone "$blip" train --data "$data" --output "$scratch/o4" "${short[@]}" --init "$(printf 'x%.0s' {1..100000})"
exits 66; says "--init xxx"
alone "$blip" caption --init "$scratch/o3/best" "${many[@]/#/$scratch/absent}"
exits 66
repeated=()
for ((k = 0; k < 3000; ++k)); do repeated+=(--seed 42); done
run timeout 60 mpirun -np 2 "$blip" train --data "$data" --output "$scratch/o4" "${short[@]}" "${repeated[@]}" --seed x
exits 64; said_once "--seed: 'x' is not a whole number"

# A file (or, of log.jsonl and log.txt, a folder) where the run wants the other
for path in checkpoints log.jsonl log.txt evaluations result best; do
    new_case "something in the way of the output's $path"
    rm -rf "$scratch/o5"
    mkdir "$scratch/o5"
    if [ "${path%.*}" = log ]; then mkdir "$scratch/o5/$path"; else echo x >"$scratch/o5/$path"; fi
    run timeout 60 mpirun -np 2 "$blip" train --data "$data" --output "$scratch/o5" "${short[@]}"
    exits 74; said_once "error: "; says "$scratch/o5/$path"
done

new_case "a limit on the size of files: the checkpoint is given up, said, 74"
alone bash -c 'ulimit -f 4000; exec "$@"' bash "$blip" train --data "$data" --output "$scratch/o6" "${short[@]}" --no-evaluate
exits 74; says "File too large"; says "$scratch/o6"

new_case "an output folder of somebody else"
chmod 755 "$scratch"
mkdir "$scratch/others"
if [ "$(id -u)" = 0 ] && setpriv --reuid=65534 --regid=65534 --clear-groups "$bin/blip_mpi_cpu" --version >/dev/null 2>&1; then
    alone setpriv --reuid=65534 --regid=65534 --clear-groups "$blip" train --data "$data" --output "$scratch/others/out" "${short[@]}"
    exits 74; says "$scratch/others/out"; says "Permission denied"
    alone setpriv --reuid=65534 --regid=65534 --clear-groups "$blip" train --data "$data" --output "$scratch/others" "${short[@]}"
    exits 74; says "$scratch/others"
else
    skip_case "not root, or the program cannot be run by others"
fi

new_case "a disk that is full from the start"
if unshare -m true 2>/dev/null; then
    mkdir -p "$scratch/small"
    run unshare -m bash -c 'mount -t tmpfs -o size=16k none "$0" && exec "$@"' "$scratch/small" \
        timeout 60 mpirun -np 2 "$blip" train --data "$data" --output "$scratch/small/out" "${short[@]}" --no-evaluate
    exits 74; says "$scratch/small/out"
else
    skip_case "no private mounts here"
fi
summary
