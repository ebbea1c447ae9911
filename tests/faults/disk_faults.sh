#!/usr/bin/env bash
# test: timed
# Disks that are full or fail while a checkpoint is written: that checkpoint is given up and said so, the one before stays,
# the run goes on, and ends with 74 if its last state could not be saved. No descriptor is used again after its fsync
# failed.
# shellcheck source=tests/support/fault_lib.sh
. "$(dirname "$0")/../support/fault_lib.sh"
draw_sample 12    # 5 steps an epoch
micro=6
options=(--no-evaluate --epochs 1 --checkpoint-every 1 --keep 1)

new_case "undisturbed"
train 2 "$scratch/whole" "${options[@]}"
exits 0
train 2 "$scratch/whole3" "${options[@]}" --max-steps 3
exits 0

# Which rank, the operation, and what it is done to. Rank 0 makes the folder and the manifest.
shard="step-00000002/shard-0000"
manifest="step-00000002/manifest"
faults=("1 create $shard" "1 write $shard" "1 fsync $shard" "1 close $shard" "1 rename $shard" "1 fsync step-00000002\$"
    "0 create $shard" "0 mkdir checkpoints/step-00000002" "0 create $manifest" "0 write $manifest" "0 fsync $manifest"
    "0 close $manifest" "0 rename $manifest")
fails() { # OUTPUT RANK OPERATION TEXT ERRNO ARGUMENT...: a run whose operations on such files of that rank fail
    faulty_train 2 "$1" RANK="$2" "FAIL=$3,$4,$5" -- "${options[@]}" "${@:6}"
}
number=0
for error in EIO ENOSPC; do
    for fault in "${faults[@]}"; do
        read -r rank operation text <<<"$fault"
        if [ $error = ENOSPC ] && ! is_long && [ "$operation" != write ]; then continue; fi
        new_case "$error on $operation of $text by rank $rank: given up, the next one is written"
        out=$scratch/given-up-$((++number))
        fails "$out" "$rank" "$operation" "$text" $error --max-steps 3
        exits 0
        said_once "no checkpoint at step 2: "
        if [ $error = EIO ]; then says "Input/output error"; else says "No space left"; says "free some space"; fi
        [ "$rank" = 0 ] || says "no checkpoint at step 2: rank 1: "
        log_query "assert [e['saved'] for e in events[0] if e['kind'] == 'checkpoint'] == [True, False, True]" "$out"
        same_weights "$out" "$scratch/whole3"
        leaves_nothing_like "$out/checkpoints/*2*"
        leaves_nothing_like "$out/checkpoints/*/*.tmp.*"
    done
done

new_case "the last one fails: 74, the one before stands, and the same command goes on"
for fault in "1 fsync $shard" "0 rename $manifest"; do
    read -r rank operation text <<<"$fault"
    out=$scratch/last-$operation
    fails "$out" "$rank" "$operation" "$text" EIO --max-steps 2
    exits 74; said_once "no checkpoint at step 2: "; says "the last checkpoint could not be written to $out"
    is "$(newest "$out")" 1 "the newest checkpoint"
    train 2 "$out" "${options[@]}"
    exits 0; says "resuming after step 1"
    same_weights "$out" "$scratch/whole"
done

new_case "the best weights cannot be written: 74, the checkpoint stands, the next job evaluates that epoch"
evaluated=(--epochs 2 --num-beams 1 --max-length 8)
train 2 "$scratch/whole-best" "${evaluated[@]}"
exits 0
for text in best/model.safetensors evaluations/epoch-0; do
    out=$scratch/full-${text%%/*}
    faulty_train 2 "$out" "FAIL=write,$text,ENOSPC" -- "${evaluated[@]}"
    exits 74; says "No space left"; says "$out/$text"
    is "$(newest "$out")" 5 "the newest checkpoint"
    [ ! -e "$out/evaluations/epoch-0.json" ] || fail "an evaluation is there"
    train 2 "$out" "${evaluated[@]}"
    exits 0; says "resuming after step 5"; says "epoch 1 val"; says_not "best weights so far are lost"
    same_weights "$out" "$scratch/whole-best"
done

new_case "an error while a checkpoint waits for a slow disk ends the job at once"
whole=("$data" "${small[@]}") data=$scratch/copy.h5 micro=1
small=("${small[@]/#12/2}")    # 30 steps an epoch, whose end is saved while the next one begins
cp "${whole[0]}" "$data"
start_faulty_train 2 "$scratch/slow" RANK=1 "PAUSE=fsync,step-00000060/shard,25" -- --no-evaluate --epochs 200 --checkpoint-every 0
wait_for 60 grep -q "paused before fsync" "$output"
truncate -s $(($(stat -c %s "$data") / 2)) "$data"
finish_job 12
exits 65; says "copy.h5"
is "$(newest "$scratch/slow")" 30 "the newest checkpoint"
data=${whole[0]} small=("${whole[@]:1}") micro=6

new_case "writes that take half of what they are given: the same bytes"
faulty_train 2 "$scratch/short" SHORT=1 -- "${evaluated[@]}"
exits 0
same_weights "$scratch/short" "$scratch/whole-best"
log_query "assert len(logs[0]) == 10" "$scratch/short"

new_case "a file system with room for one checkpoint and a half: 74, the first one stands; with more room it goes on"
if unshare --mount true 2>/dev/null; then
    one=$(du -sk "$(last_checkpoint "$scratch/whole")" | cut -f 1)
    mkdir "$scratch/disk"
    cat >"$scratch/on_disk" <<'SCRIPT'
disk=$1 size=$2 more=$3 copy=$4
shift 4
mount -t tmpfs -o "size=${size}k" tmpfs "$disk" || exit 75
"$@"
echo "first job: exit $?"
df -k "$disk" | tail -n 1
cp -r "$disk/out" "$copy"
mount -o "remount,size=${more}k" "$disk"
"$@"
echo "second job: exit $?"
cp -r "$disk/out" "$copy.more"
SCRIPT
    run unshare --mount bash "$scratch/on_disk" "$scratch/disk" $((one * 3 / 2)) $((one * 5)) "$scratch/on-disk" mpirun -np 2 "$blip" \
        train --data "$data" --output "$scratch/disk/out" "${small[@]}" --micro-batch $micro "${options[@]}"
    if [ "$status" = 75 ]; then
        skip_case "no tmpfs may be mounted here"
    else
        exits 0
        says "first job: exit 74"; says "second job: exit 0"; says "No space left on device; free some space"
        for step in 2 3 4 5; do says "no checkpoint at step $step: "; done
        says "resuming after step 1"
        is "$(newest "$scratch/on-disk")" 1 "the newest checkpoint"
        leaves_nothing_like "$scratch/on-disk/checkpoints/*/*.tmp.*"
        same_weights "$scratch/on-disk.more" "$scratch/whole"
        log_query "assert [s for s in sorted(logs[0])] == [1, 2, 3, 4, 5]" "$scratch/on-disk.more"
    fi
else
    skip_case "no file system may be mounted here"
fi

# as_it_was OUTPUT: nothing of the run of three steps is lost, and it goes on when the disk answers
as_it_was() {
    same_weights "$1" "$scratch/whole3"
    train 2 "$1" "${options[@]}" --max-steps 3
    exits 0; says "resuming after step 3"
}
for place in checkpoints checkpoints/step-00000003 checkpoints/step-00000003/manifest.json; do
    new_case "a disk that cannot say whether ${place##*/} is there: refused, nothing is taken for absent"
    if ! strace -qq -o "$scratch/calls" true 2>/dev/null; then
        skip_case "strace may not trace here"
        continue
    fi
    rm -rf "$scratch/unsure"
    cp -r "$scratch/whole3" "$scratch/unsure"
    for extra in "" --dry-run; do
        # shellcheck disable=SC2086  # one or none
        run strace -f -qq -o "$scratch/calls" -P "$scratch/unsure/$place" -e trace=newfstatat,stat,statx \
            -e inject=newfstatat,stat,statx:error=EIO "$blip" train --data "$data" --output "$scratch/unsure" "${small[@]}" \
            --micro-batch $micro "${options[@]}" --max-steps 3 $extra
        exits 74; says "$scratch/unsure/$place"
        grep -q EIO "$scratch/calls" || fail "no call failed"
    done
    as_it_was "$scratch/unsure"
done

for place in best evaluations log.jsonl; do
    new_case "a disk that cannot say whether $place tells of a run whose checkpoints are gone: refused"
    if ! strace -qq -o "$scratch/calls" true 2>/dev/null; then
        skip_case "strace may not trace here"
        continue
    fi
    rm -rf "$scratch/unsure"
    mkdir "$scratch/unsure"
    cp -r "$scratch/whole3/log.jsonl" "$scratch/unsure/$place"
    run strace -f -qq -o "$scratch/calls" -P "$scratch/unsure/$place" -e trace=newfstatat,stat,statx \
        -e inject=newfstatat,stat,statx:error=EIO "$blip" train --data "$data" --output "$scratch/unsure" "${small[@]}" \
        --micro-batch $micro "${options[@]}" --max-steps 3
    exits 74; says "cannot tell whether $scratch/unsure/$place is there"
done

for file in manifest.json shard-00001-of-00002.safetensors; do
    new_case "the newest ${file%%[-.]*} cannot be read: refused, as it may be whole, and used when it can"
    rm -rf "$scratch/unread"
    cp -r "$scratch/whole3" "$scratch/unread"
    faulty_train 2 "$scratch/unread" "FAIL=open,step-00000003/$file,EIO" -- "${options[@]}" --max-steps 3
    exits 74; said_once "error: "; says "$file: Input/output error: run the same command again when the disk answers"
    as_it_was "$scratch/unread"
done

new_case "every fsync of a rank fails: no checkpoint, 74, and no descriptor is used again after it (from strace's log)"
if strace -qq -o "$scratch/calls" true 2>/dev/null; then
    common=(train --data "$data" --output "$scratch/no-fsync" "${small[@]}" --micro-batch "$micro" "${options[@]}")
    run timeout -k 5 120 mpirun -np 1 "$blip" "${common[@]}" : -np 1 strace -f -qq -o "$scratch/calls" \
        -e trace=openat,write,pwrite64,fsync,fdatasync,close,rename,ftruncate -e inject=fsync:error=EIO "$blip" "${common[@]}"
    exits 74; says "no checkpoint at step 1: rank 1: cannot bring to disk"; says "the last checkpoint could not be written"
    leaves_nothing_like "$scratch/no-fsync/checkpoints/*"
    run python3 - "$scratch/calls" <<'PYTHON'
import re, sys
failed, files, tries = {}, {}, 0    # descriptors after a failed fsync
for line in open(sys.argv[1], errors='replace'):
    call = re.match(r'\d+ +(\w+)\((?:AT_FDCWD, "([^"]*)".*= (\d+)$|(\d+))', line)
    if not call:
        continue
    name, path, opened, fd = call.groups()
    if name == 'openat' and opened:
        assert opened not in failed, f'opened while it was not closed: {line}'
        files[opened] = path
    elif fd in failed:
        assert name == 'close', f'used after its fsync failed: {line}'
        del failed[fd]
    elif name == 'fsync' and 'EIO' in line:
        failed[fd] = files.pop(fd)
        tries += 1
assert not failed and tries == 5, (tries, failed)    # once for each checkpoint
print('5 failed, all closed next')
PYTHON
    exits 0; says "5 failed, all closed next"
else
    skip_case "strace may not trace here"
fi
summary
