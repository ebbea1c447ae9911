#!/usr/bin/env bash
# One rank that fails, dies, hangs or was started differently ends the job within seconds, with one message that names the
# rank and the reason.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
draw_sample 24
common=("${small[@]}" --micro-batch 2 --no-evaluate)

# A rank's own conditions: rank_is RANK 'SHELL' makes a launcher that runs SHELL on that rank before the program.
# In SHELL, "$@" is the program and its arguments.
rank_is() {
    cat >"$scratch/launch" <<LAUNCH
#!/usr/bin/env bash
if [ "\$OMPI_COMM_WORLD_RANK" = $1 ]; then
    $2
fi
exec "\$@"
LAUNCH
    chmod +x "$scratch/launch"
}
launch() { # RANKS ARGUMENT...
    local begin=$SECONDS
    run timeout -k 5 60 mpirun -np "$1" "$scratch/launch" "$blip" "${@:2}"
    waited=$((SECONDS - begin))
}
in_seconds() { [ "$waited" -le "$1" ] || fail "it took $waited s"; }

# Damaged samples: the message comes from whichever rank reads them.
new_case "a flipped byte in the pixels of a training picture"
cp "$data" "$scratch/pixels.h5"
# The pixels fill most of the file: a byte of the middle is one of a training picture.
flip_byte "$scratch/pixels.h5" $(($(stat -c %s "$data") / 2))
rank_is 0 :
launch 2 train --data "$scratch/pixels.h5" --output "$scratch/o1" "${common[@]}" --epochs 1
exits 65; in_seconds 20
said_once "digest mismatch of image "; says "(train, row"; says "coco_pack --check"
grep -qE 'error: rank [01] on ' "$output" || fail "no rank is named"
run "$bin/coco_pack" --check "$scratch/pixels.h5"
exits 65; says "(train, row"

# place_of WHAT: where caption row 7's tokens, length or image index, or caption row 0's text, lie in $data
place_of() {
    python3 - "$data" "$scratch/coco/karpathy/coco_karpathy_train.json" "$1" <<'PYTHON'
import json, struct, sys
data, captions = open(sys.argv[1], 'rb').read(), json.load(open(sys.argv[2]))
# 80 bytes a caption; each starts with [DEC], a, picture, of as little-endian 16-bit numbers
tokens = data.index(struct.pack('<4H', 30522, 1037, 3861, 1997))
rows = [struct.unpack_from('<40H', data, tokens + 80 * row) for row in range(len(captions))]
lengths = struct.pack(f'<{len(rows)}i', *(40 - row.count(0) for row in rows))
indices = struct.pack(f'<{len(rows)}i', *(row // 5 for row in range(len(rows))))
print({'tokens': tokens + 80 * 7 + 10, 'length': data.index(lengths) + 4 * 7, 'image index': data.index(indices) + 4 * 7,
       'text': data.index(captions[0]['caption'].encode())}[sys.argv[3]])
PYTHON
}
for what in tokens length "image index" text; do
    new_case "a flipped byte in a caption's $what"
    cp "$data" "$scratch/caption.h5"
    flip_byte "$scratch/caption.h5" "$(place_of "$what")"
    launch 2 train --data "$scratch/caption.h5" --output "$scratch/o2" "${common[@]}" --epochs 1
    exits 65; in_seconds 20
    said_once "error: "; says "; the file is damaged"
    grep -qE 'caption row [07] \(train, image [0-9]+\)' "$output" || fail "caption or image is not named"
done

new_case "kill -9 of one rank in mid-epoch: the same command goes on, and ends with an undisturbed run's bytes"
three=(--epochs 3 --no-evaluate --checkpoint-every 4)
start_train 3 "$scratch/o3" "${three[@]}"
wait_for 60 step_logged "$scratch/o3" 14
kill -9 "$(rank_of "$job" 2)"
finish_job 10
exits 137; says "rank 2"; says "signal 9"
train 3 "$scratch/o3" "${three[@]}"
exits 0; says "resuming after step"; says "(epoch 2, step"
train 3 "$scratch/whole" "${three[@]}"
same_weights "$scratch/o3" "$scratch/whole"
same_losses 0 "$scratch/o3" "$scratch/whole"

new_case "one rank runs out of memory"
rank_is 1 'ulimit -v 1400000'
launch 2 train --data "$data" --output "$scratch/o4" --model tiny --text-hidden 512 --image-size 32 --global-batch 120 \
    --micro-batch 60 --threads 1 --no-progress --no-evaluate
exits 70; in_seconds 40
said_once "error: rank 1 on "
grep -qE 'error: rank 1 on .*(out of|no) memory' "$output" || fail "does not speak of memory"

new_case "one rank lacks the data file"
rank_is 1 "set -- \"\${@/$(basename "$data")/absent.h5}\""
launch 3 train --data "$data" --output "$scratch/o5" "${common[@]}" --epochs 1
exits 66; in_seconds 15; said_once "absent.h5"; says "error: rank 1: "

new_case "one rank has other data"
"$bin/make_sample" --out "$scratch/coco2" --train 24 --val 6 --test 5 --seed 9 >/dev/null
"$bin/coco_pack" --coco "$scratch/coco2" --out "$scratch/other.h5" >/dev/null
rank_is 2 "set -- \"\${@/$(basename "$data")/other.h5}\""
launch 3 train --data "$data" --output "$scratch/o6" "${common[@]}" --epochs 1
exits 64; in_seconds 15; said_once "data digest is"; says "on rank 2"

for other in "--seed 43" "--max-steps 3" "--bucket-mb 1" "--keep 5" "--no-evaluate --limit 2"; do
    new_case "one rank was started with $other"
    rank_is 1 "set -- \"\$@\" $other"
    launch 2 train --data "$data" --output "$scratch/o7" "${small[@]}" --micro-batch 2 --epochs 1
    exits 64; in_seconds 15
    option=${other%% *}
    said_once "the ranks were started differently"; says "${option#--} is"; says "on rank 1"
    leaves_nothing_like "$scratch/o7/checkpoints/*"
done

new_case "a rank that hangs: --comm-timeout names the operation"
start_train 2 "$scratch/o8" --epochs 50 --no-evaluate --comm-timeout 3
wait_for 60 step_logged "$scratch/o8" 5
stopped=$(rank_of "$job" 1)
kill -STOP "$stopped"    # whatever it is doing at that moment
finish_job 20
exits 70
said_once "error: rank 0 on "; says "(--comm-timeout)"; says "late: rank 1"
grep -qE "has waited 3 s for '[a-z ]+[0-9a-z ]*'" "$output" || fail "the operation is not named"
for _ in $(seq 60); do    # mpirun may be gone a moment before
    kill -0 "$stopped" 2>/dev/null || break
    sleep 0.1
done
! kill -0 "$stopped" 2>/dev/null || fail "the rank that hung is still there"

summary
