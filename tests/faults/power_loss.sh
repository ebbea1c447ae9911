#!/usr/bin/env bash
# Power lost at any moment: all that was not synced may be gone, names and bytes, in any combination. Runs, packing and
# export are recorded, and their folders rebuilt as they could then look (files/power_loss.py): there is the old state or
# the new one, never neither, and runs go on from such folders to the bytes of an undisturbed one.
# shellcheck source=tests/support/fault_lib.sh
. "$(dirname "$0")/../support/fault_lib.sh"
draw_sample 12    # 60 captions, 2 steps an epoch of 30
micro=15
small=("${small[@]/12/30}")
options=(--epochs 2 --checkpoint-every 1 --keep 1 --num-beams 1 --max-length 8)
every=$(by_form 100 10)

# holds ARGUMENT...: the claim of power_loss.py, and how many states it was held to
holds() {
    run python3 "$power_loss" "$1" "$2" "$3" "$4" --every "$every" --seed "$seed" "${@:5}"
    exits 0
    says " 0 against the claim"
    echo "  $(tail -n 1 "$output") (seed $seed)"
}

new_case "undisturbed"
train 2 "$scratch/whole" "${options[@]}"
exits 0

new_case "a run of two ranks, two epochs, four checkpoints, evaluations and best weights"
mkdir "$scratch/first" "$scratch/kept"
faulty_train 2 "$scratch/first/out" "BELOW=$scratch/first" "LOG=$scratch/first.log" -- "${options[@]}"
exits 0
# recorded are also the folder's own name and all that was there
holds run "$scratch/first.log" "$scratch/first" out --keep "$scratch/kept" "$(by_form 3 40)" -- "$newest_state"

new_case "runs go on from such folders, and end with the bytes of an undisturbed one"
went_on=0
for state in "$scratch"/kept/*/; do
    [ -d "$state" ] || continue
    train 2 "${state}out" "${options[@]}"
    exits 0
    same_weights "${state}out" "$scratch/whole"
    [ $case_ok = 1 ] || fail "that was: $(cat "${state%/}.txt")"
    went_on=$((went_on + 1))
done
is $went_on "$(by_form 3 40)" "runs that went on"

new_case "a run that goes on: what was there before stays until there is something newer"
train 2 "$scratch/second/out" "${options[@]}" --max-steps 3
exits 0
cp -r "$scratch/second" "$scratch/before"
faulty_train 2 "$scratch/second/out" "BELOW=$scratch/second" "LOG=$scratch/second.log" -- "${options[@]}"
exits 0; says "resuming after step 3"
holds run "$scratch/second.log" "$scratch/second" out --initial "$scratch/before" --told 3 -- "$newest_state"

new_case "coco_pack: the packed file is whole or not there"
mkdir "$scratch/packed"
run env "LD_PRELOAD=$file_faults" "BLIP_FILES_BELOW=$scratch/packed" "BLIP_FILES_LOG=$scratch/packed.log" \
    "$bin/coco_pack" --coco "$scratch/coco" --out "$scratch/packed/coco.h5"
exits 0
holds file "$scratch/packed.log" "$scratch/packed" coco.h5 -- "$bin/coco_pack" --check "{}"

exported() { # NAMES FILE BEFORE [DTYPE]: by export to FILE in $scratch/to, which holds what BEFORE holds
    mkdir "$scratch/to"
    [ -z "$3" ] || cp -r "$3"/. "$scratch/to"
    rm -f "$scratch/to.log" "$scratch/to.log.data"
    run env "LD_PRELOAD=$file_faults" "BLIP_FILES_BELOW=$scratch/to" "BLIP_FILES_LOG=$scratch/to.log" \
        "$blip" export --from "$scratch/whole/best" --to "$scratch/to/$2" --names "$1" --overwrite --dtype "${4:-fp32}"
    exits 0
    holds file "$scratch/to.log" "$scratch/to" "$2" ${3:+--initial "$3"} -- \
        "$blip" export --from "{}" --to "$scratch/again.safetensors" --names reference \
        --overwrite
}
new_case "export to one file: whole or not there"
exported reference model.safetensors ""
rm -r "$scratch/to"
new_case "export to a Hugging Face folder over an older one: the old or the new"
exported huggingface model ""
mv "$scratch/to" "$scratch/old"
exported huggingface model "$scratch/old" bf16
says ", 2 different, "
summary
