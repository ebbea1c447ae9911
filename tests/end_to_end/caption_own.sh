#!/usr/bin/env bash
# jobs/caption_own.cfg, as somebody with own pictures uses it: from a Hugging Face folder and 160 pictures to weights that
# caption them better. Also that the recipe explains each of its lines.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
recipe=$root/jobs/caption_own.cfg
golden=${BLIP_GOLDEN_DIR:-$root/../shared/golden} coco=${BLIP_COCO_DIR:-$root/../shared/data/coco2014-mini}

new_case "each line of the recipe is an option and says why"
bare=$(grep -vE '^#|^$' "$recipe" | grep -vE '^[a-z0-9-]+ = [^ ]+ +# .{15,}' || true)
[ -z "$bare" ] || fail "without a reason: $bare"
run "$blip" train --config "$recipe" --data none.h5 --print-config
exits 0

new_case "from a Hugging Face folder and 160 pictures: CIDEr on val ends above that of the start, and the loss below"
if [ ! -e "$golden/tiny_reference.pth" ] || [ ! -d "$coco/karpathy" ]; then
    skip_case "no $golden/tiny_reference.pth or $coco/karpathy; BLIP_GOLDEN_DIR, BLIP_COCO_DIR"
    summary
fi
run "$bin/coco_pack" --coco "$coco" --karpathy "$coco/karpathy" --out "$scratch/own.h5"
exits 0
run "$blip" export --from "$golden/tiny_reference.pth" --names huggingface --text-heads 4 --vision-heads 3 --to "$scratch/hf" --threads 1
exits 0
run "$blip" evaluate --data "$scratch/own.h5" --init "$scratch/hf" --split val --output "$scratch/before" --threads 1 --no-progress
exits 0
run timeout 500 mpirun -np 2 "$blip" train --config "$recipe" --data "$scratch/own.h5" --init "$scratch/hf" --output "$scratch/out" --micro-batch 8 --threads 1 --no-progress --no-peak --log-samples 0
exits 0; says_not "too few to learn"; says "best weights: $scratch/out/best (epoch"
run "$blip" evaluate --data "$scratch/own.h5" --init "$scratch/out/best" --split val --output "$scratch/after" --threads 1 --no-progress
exits 0
log_query "
import os
before, after = [json.load(open(os.path.join('$scratch', run, 'evaluate.json')))['splits']['val']['scores'] for run in ('before', 'after')]
evaluations = [e['splits']['val'] for e in events[0] if e['kind'] == 'evaluation']
print('CIDEr', before['CIDEr'], [e['scores']['CIDEr'] for e in evaluations], 'loss', [e['loss'] for e in evaluations])
assert after['CIDEr'] > before['CIDEr'] * 1.2, (before, after)
assert evaluations[-1]['scores']['CIDEr'] > before['CIDEr'], (before, evaluations[-1])
assert evaluations[-1]['loss'] < evaluations[0]['loss'], evaluations" "$scratch/out"
summary
