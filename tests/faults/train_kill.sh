#!/usr/bin/env bash
# test: quick
# COCO pictures from the tree to captions: packed, checked, trained on two ranks with the tiny preset; a job that is
# killed in mid-epoch and started again ends with the bytes of an undisturbed one.
# BLIP_COCO_DIR: a COCO tree with Karpathy's split, default ../shared/data/coco2014-mini.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
coco=${BLIP_COCO_DIR:-$root/../shared/data/coco2014-mini}
if [ ! -d "$coco/annotations" ]; then
    new_case "COCO pictures: train, kill, go on, evaluate, caption"
    skip_case "no COCO tree in $coco; BLIP_COCO_DIR names one"
    summary
fi
data=$scratch/coco.h5
tiny=(--data "$data" --model tiny --threads 1 --loader-threads 1 --epochs 3 --global-batch 32 --micro-batch 8
    --init-lr 1e-3 --checkpoint-every 4)

new_case "pack and check"
run "$bin/coco_pack" --coco "$coco" --limit 100 --out "$data"
exits 0
run "$bin/coco_pack" --check "$data"
exits 0

new_case "three epochs, undisturbed"
run mpirun -np 2 "$blip" train "${tiny[@]}" --output "$scratch/whole"
exits 0
steps=$(sed -n 's/.* \([0-9]*\) steps an epoch, 3 epochs.*/\1/p' "$output")
says "finished after step $((3 * steps))"
middle=$((steps + steps / 2))    # of the second epoch

new_case "the whole job killed in the middle of epoch 2: same command, same bytes"
start mpirun -np 2 "$blip" train "${tiny[@]}" --output "$scratch/killed"
wait_for 120 step_logged "$scratch/killed" $middle
# shellcheck disable=SC2046
kill -9 "$job" $(ranks_of "$job")
finish_job 10
exits 137
says_not "finished after step"
run mpirun -np 2 "$blip" train "${tiny[@]}" --output "$scratch/killed"
exits 0
says "resuming after step"; says "(epoch 2, step"; says "finished after step $((3 * steps))"
same_weights "$scratch/killed" "$scratch/whole"
same_losses 0 "$scratch/killed" "$scratch/whole"
same_file "$scratch/killed/result/test_epoch2.json" "$scratch/whole/result/test_epoch2.json" "the captions"

new_case "evaluate: every picture once, in COCO form, and the scores of the last epoch"
run mpirun -np 3 "$blip" evaluate --data "$data" --init "$(last_checkpoint "$scratch/whole")" --output "$scratch/scores"
exits 0
run python3 - "$coco" "$scratch/scores" "$scratch/whole" <<'PYTHON'
import json, re, sys
coco, scores, run = sys.argv[1:]
for split in ('val', 'test'):
    rows = json.load(open(f'{scores}/result/{split}.json'))
    wanted = json.load(open(f'{coco}/karpathy/coco_karpathy_{split}.json'))[:100]
    ids = sorted(int(re.search(r'_(\d+)\.jpg$', row['image']).group(1)) for row in wanted)
    assert sorted(row['image_id'] for row in rows) == ids, (split, len(rows), len(ids))
    assert all(set(row) == {'image_id', 'caption', 'file_name', 'log_probability'} and isinstance(row['caption'], str) for row in rows), rows[0]
    whole = json.load(open(f'{scores}/evaluate.json'))['splits'][split]
    epoch = json.load(open(f'{run}/evaluations/epoch-2.json'))['splits'][split]
    assert whole['images'] == len(ids) and whole['scores'] == epoch['scores'], (whole, epoch)
    assert set(whole['scores']) >= {'Bleu_1', 'Bleu_2', 'Bleu_3', 'Bleu_4', 'ROUGE_L', 'CIDEr'}, whole
PYTHON
exits 0

new_case "caption: a line for each picture"
mapfile -t pictures < <(find "$coco"/*2014 -name '*.jpg' | sort | head -n 3)
run "$blip" caption --init "$scratch/whole/best" "${pictures[@]}"
exits 0
for picture in "${pictures[@]}"; do says "$picture: "; done
summary
