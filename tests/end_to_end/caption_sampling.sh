#!/usr/bin/env bash
# Drawn captions, several captions of a picture, prompts of single pictures and the empty prompt, by caption and evaluate:
# the same whatever ranks, batches, order and names; what is refused.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
draw_sample 24 # 6 pictures to validate and 5 to test on
train 2 "$scratch/run" --epochs 1
mkdir "$scratch/photos" "$scratch/others"
mapfile -t drawn < <(find "$scratch/coco/val2014" -name '*.jpg' | sort | head -n 5)
for i in 0 1 2 3 4; do cp "${drawn[$i]}" "$scratch/photos/$i.jpg"; done
cp "${drawn[2]}" "$scratch/others/another name.jpg"
# caption ARGUMENT...: captions on stdout, messages on stderr
caption() {
    status=0
    "$blip" caption --init "$scratch/run" --threads 1 "$@" >"$scratch/said" 2>"$scratch/errors" || status=$?
    cat "$scratch/said" "$scratch/errors" >"$output"
}
evaluate() { # RANKS OUTPUT ARGUMENT...
    run timeout -k 5 120 mpirun -np "$1" "$blip" evaluate --data "$data" --init "$scratch/run" --output "$2" --threads 1 --no-progress "${@:3}"
}
captions_of() { sed 's/^[^:]*: //' "$1"; }

new_case "evaluate --sample: any number of ranks gives the same captions, one picture at a time every bit of the file"
evaluate 1 "$scratch/one" --sample --eval-batch 1
exits 0
for np in 2 3; do
    evaluate $np "$scratch/np$np" --sample --eval-batch 1
    exits 0
    for split in val test; do same_file "$scratch/np$np/result/$split.json" "$scratch/one/result/$split.json" "$split"; done
done
evaluate 2 "$scratch/batch" --sample --eval-batch 4
exits 0
captions_in() { python3 -c 'import json, sys; print([(row["image_id"], row["caption"]) for row in json.load(open(sys.argv[1]))])' "$1"; }
is "$(captions_in "$scratch/batch/result/val.json")" "$(captions_in "$scratch/one/result/val.json")" "captions in other batches"

new_case "another seed draws others; evaluate.json tells how captions were made"
evaluate 1 "$scratch/seed" --sample --eval-batch 1 --seed 43
exits 0
! cmp -s "$scratch/seed/result/val.json" "$scratch/one/result/val.json" || fail "the same captions with another seed"
run python3 - "$scratch/one/evaluate.json" <<'PYTHON'
import json, sys
report = json.load(open(sys.argv[1]))
assert (report['sample'], report['seed'], report['top_k'], report['top_p']) == (True, 42, 50, 0.9) and 'num_beams' not in report, report
PYTHON
exits 0

new_case "caption --sample --num-captions: N lines a picture, the same in any batch, order, folder and under any name"
caption --sample --num-captions 3 --eval-batch 1 "$scratch/photos"
exits 0
is "$(wc -l <"$scratch/said")" 15 "lines"
is "$(sort -u "$scratch/said" | wc -l)" 15 "different lines"
cp "$scratch/said" "$scratch/all"
caption --sample --num-captions 3 --eval-batch 4 "$scratch/photos"
same_file "$scratch/said" "$scratch/all" "captions in another batch"
caption --sample --num-captions 3 "$scratch/others/another name.jpg" "$scratch/photos/0.jpg"
is "$(captions_of "$scratch/said")" "$(sed -n 7,9p "$scratch/all" | sed 's/^[^:]*: //'; sed -n 1,3p "$scratch/all" | sed 's/^[^:]*: //')" "captions under another name"
caption --sample "$scratch/photos/2.jpg"
is "$(cat "$scratch/said")" "$(sed -n 7p "$scratch/all")" "a single draw"

new_case "--json with several captions: an object a caption, with its index; the best first when searching"
caption --json --num-captions 3 "$scratch/photos"
exits 0
cp "$scratch/said" "$scratch/several.json"
caption --json "$scratch/photos"
run python3 - "$scratch/several.json" "$scratch/said" <<'PYTHON'
import json, sys
several, single = ([json.loads(line) for line in open(name)] for name in sys.argv[1:3])
assert len(several) == 15 and len(single) == 5
for i, one in enumerate(single):
    rows = several[3 * i:3 * i + 3]
    assert list(one) == ['file', 'caption', 'log_probability'], one
    assert [list(row) for row in rows] == [['file', 'index', 'caption', 'log_probability']] * 3, rows
    assert [row['index'] for row in rows] == [0, 1, 2] and {row['file'] for row in rows} == {one['file']}, rows
    assert (rows[0]['caption'], rows[0]['log_probability']) == (one['caption'], one['log_probability'])
    assert len({row['log_probability'] for row in rows}) == 3, rows
PYTHON
exits 0

new_case "--prompts: by file as given, then base name; the others have --prompt; unknown ones are told"
caption --prompt "" "$scratch/photos/0.jpg"
exits 0
bare=$(cat "$scratch/said")
caption --prompt "a dog " "$scratch/photos/1.jpg"
dog=$(cat "$scratch/said")
caption "$scratch/photos"
plain=$(sed -n '3,5p' "$scratch/said")
printf '{"0.jpg": "", "%s": "a dog ", "1.jpg": "not this ", "8.jpg": "a "}' "$scratch/photos/1.jpg" >"$scratch/prompts.json"
for batch in 1 5; do
    caption --prompts "$scratch/prompts.json" --eval-batch $batch "$scratch/photos"
    exits 0
    is "$(cat "$scratch/said")" "$bare"$'\n'"$dog"$'\n'"$plain" "captions"
    is "$(grep -c "1 of the 4 pictures in .*'8.jpg'" "$scratch/errors")" 1 "warnings"
done

new_case "weights that were trained with another prompt: told where captions begin with the usual one"
run "$bin/coco_pack" --coco "$scratch/coco" --prompt "photo of" --out "$scratch/photo.h5"
exits 0
data="$scratch/photo.h5" train 1 "$scratch/photo" --epochs 1
exits 0
run "$blip" caption --init "$scratch/photo/best" --threads 1 "$scratch/photos"
exits 0; said_once "was trained with the prompt 'photo of ', and captions begin with 'a picture of ' here: --prompt 'photo of ' asks"
run timeout -k 5 120 mpirun -np 2 "$blip" evaluate --data "$scratch/photo.h5" --init "$scratch/photo/best" --output "$scratch/ev" --threads 1
exits 0; said_once "was trained with the prompt 'photo of '"
for words in "--init $scratch/photo/best --prompt photo" "--init $scratch/run/best"; do
    # shellcheck disable=SC2086
    run "$blip" caption $words --threads 1 "$scratch/photos/0.jpg"
    exits 0; says_not "trained with the prompt"
done

new_case "--prompts by image id in evaluate, on any number of ranks"
id=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[1]["image_id"])' "$scratch/one/result/val.json")
printf '{"%s": "", "999999999": "a dog "}' "$id" >"$scratch/ids.json"
evaluate 1 "$scratch/ids1" --prompts "$scratch/ids.json" --eval-batch 1
exits 0; said_once "1 of the 2 pictures"; says "'999999999'"
evaluate 3 "$scratch/ids3" --prompts "$scratch/ids.json" --eval-batch 1
exits 0
same_file "$scratch/ids3/result/val.json" "$scratch/ids1/result/val.json" "the results"
evaluate 1 "$scratch/bare" --prompt "" --eval-batch 1
exits 0
evaluate 1 "$scratch/usual" --eval-batch 1
exits 0
run python3 - "$id" "$scratch"/{ids1,bare,usual}/result/val.json <<'PYTHON'
import json, sys
mixed, bare, usual = (json.load(open(name)) for name in sys.argv[2:])
for a, b, c in zip(mixed, bare, usual):
    assert a == (b if a['image_id'] == int(sys.argv[1]) else c), (a, b, c)
assert bare != usual
PYTHON
exits 0

new_case "what is refused, before anything is captioned"
refused() { # CODE WORD ARGUMENT...
    caption "${@:3}" "$scratch/photos"
    exits "$1"; says "$2"
    is "$(wc -c <"$scratch/said")" 0 "characters on stdout"
}
refused 66 "absent.json" --prompts "$scratch/absent.json"
echo '{"a": ' >"$scratch/bad.json"
refused 65 "bad.json: not JSON" --prompts "$scratch/bad.json"
echo '{"0.jpg": 7}' >"$scratch/bad.json"
refused 65 "bad.json: the prompt of '0.jpg' is no text" --prompts "$scratch/bad.json"
echo '{"0.jpg": "a\ndog"}' >"$scratch/bad.json"
refused 65 "the prompt of '0.jpg' must be one line of text" --prompts "$scratch/bad.json"
echo '{"0.jpg": "zebrafish aquariums "}' >"$scratch/bad.json" # words of several tokens
refused 64 "leaves no room within --max-length 5" --prompts "$scratch/bad.json" --max-length 5
refused 64 "--num-captions 4 is more than --num-beams 3" --num-captions 4
refused 64 "--num-beams has no effect with --sample" --sample --num-beams 3
refused 64 "--top-p has no effect without --sample" --top-p 0.5
echo '{"x.jpg": "a dog "}' >"$scratch/bad.json"
evaluate 2 "$scratch/no" --prompts "$scratch/bad.json"
exits 0; said_once "1 of the 1 pictures in $scratch/bad.json are not among those to caption: 'x.jpg'"
printf 'top-k = 10\nnum-beams = 2\nlength-penalty = 2\n' >"$scratch/either.cfg"
caption --config "$scratch/either.cfg" "$scratch/photos/0.jpg"
exits 0
caption --config "$scratch/either.cfg" --sample "$scratch/photos/0.jpg"
exits 0
summary
