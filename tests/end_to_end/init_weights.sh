#!/usr/bin/env bash
# --init with weights of others, as a user has them: the reference's .pth, Hugging Face's folder, a pretraining
# checkpoint, another resolution; and what is said of weights that do not fit. (Several ranks: init_ranks.sh.)
# shellcheck source=tests/support/init_lib.sh
. "$(dirname "$0")/../support/init_lib.sh"
draw_sample 12
mapfile -t pictures < <(find "$scratch/coco/val2014" -name '*.jpg' | sort | head -n 3)
# caption ARGUMENT...: lines "PICTURE: caption" in said, messages in errors
caption() {
    status=0
    "$blip" caption "$@" "${pictures[@]}" >"$scratch/said" 2>"$scratch/errors" || status=$?
    cat "$scratch/said" "$scratch/errors" >"$output"
}
same_captions() { same_file "$scratch/said" "$scratch/first" "captions"; }

new_case "the reference's .pth, whatever it is called; heads are what weights do not tell"
caption --init "$pth" "${heads[@]}"
exits 0; says "3 blocks of 48 channels in the image encoder, 3 layers of 48 in the caption decoder"
says "trained with pictures of 96 x 96 pixels"
is "$(grep -c ': [a-z]' "$scratch/said")" 3 "captions"
cp "$scratch/said" "$scratch/first"
cp "$pth" "$scratch/weights"
caption --init "$scratch/weights" "${heads[@]}"
exits 0; same_captions
caption --init "$pth"
exits 65; says "$pth"; says "give --text-heads and --vision-heads"

new_case "a shape option is compared with the weights' shape, not with a preset's"
caption --init "$pth" --text-heads 4
exits 65; says "give --vision-heads"
caption --init "$pth" --text-heads 5 --vision-heads 3
exits 64; says "--text-heads 5 does not divide --text-hidden 48; 4 would"
caption --init "$pth" "${heads[@]}" --image-size 100
exits 64; says "--patch-size 16 does not divide --image-size 100; 10 would"
caption --init "$pth" "${heads[@]}" --image-size 128 --text-layers 3
exits 0
caption --init "$pth" "${heads[@]}" --text-layers 5
exits 64; says "text-layers: 5 was asked for, the weights have 3"
caption --init "$pth" --model tiny
exits 64; says "text-hidden: 128 was asked for, the weights have 48"; says_not "that of --model"

new_case "a checkpoint with optimizer state and a configuration inside"
caption --init "$golden/with_optimizer.pth" --text-heads 2 --vision-heads 2
exits 0; says "1 block of 32 channels in the image encoder, 1 layer of 16 in the caption decoder"; says_not warning
is "$(wc -l <"$scratch/said")" 3 "captions"

new_case "a Hugging Face folder: its names, its config.json, its vocabulary"
mkdir "$scratch/hf"
make_weights "$huggingface_names" "$scratch/hf/model.safetensors"
echo '{"model_type": "blip", "text_config": {"num_attention_heads": 4, "hidden_act": "gelu"},
  "vision_config": {"num_attention_heads": 3, "layer_norm_eps": 1e-6}}' >"$scratch/hf/config.json"
cp "$root/data_prep/bert-base-uncased-vocab.txt" "$scratch/hf/vocab.txt"
caption --init "$scratch/hf"
exits 0; same_captions; says_not warning; says_not layer_norm_eps
caption --init "$scratch/hf/model.safetensors"
exits 0; same_captions

new_case "names behind what training tools put in front of all"
for front in module. _orig_mod. module._orig_mod. model. net.captioner.; do
    make_weights "t = {'$front' + k: v for k, v in t.items()}" "$scratch/behind.safetensors"
    caption --init "$scratch/behind.safetensors" "${heads[@]}"
    exits 0; same_captions; says "its names begin with '$front'"
done
make_weights "$huggingface_names
t = {'module.' + k: v for k, v in t.items()}" "$scratch/behind.safetensors"
caption --init "$scratch/behind.safetensors" "${heads[@]}"
exits 0; same_captions
make_weights "t = {front + k: v for front in ('model.', 'ema.') for k, v in t.items()}" "$scratch/behind.safetensors"
caption --init "$scratch/behind.safetensors" "${heads[@]}"
exits 65; says "holds two captioners, under 'ema.' and 'model.'"

new_case "the forms of .pth that ways of training leave"
forms=$root/../shared/cases/17-weights-key-prefixes/make_input.py
mkdir "$scratch/forms"
[ ! -r "$forms" ] || (cd "$scratch/forms" && python3 "$forms" "$pth") || fail "no forms"
for file in "$scratch"/forms/*.pth; do
    [ -e "$file" ] || continue
    caption --init "$file" "${heads[@]}"
    exits 0; same_captions
done

new_case "a configuration that asks for something else is told"
sed -i 's/"gelu"/"relu"/; s/1e-6/1e-5/' "$scratch/hf/config.json"
caption --init "$scratch/hf"
exits 0; same_captions; says "warning: the config.json beside"; says "asks for the activation 'relu'"
says "layer_norm_eps of vision_config is 1e-05; computed with the reference's 1e-06"
sed -i 's/"num_attention_heads": 3/"num_attention_heads": 5/' "$scratch/hf/config.json"
caption --init "$scratch/hf"
exits 65; says "5 attention heads do not divide 48 channels"
sed -i 's/"num_attention_heads": 5/"num_attention_heads": 3/' "$scratch/hf/config.json"
caption --init "$scratch/hf" --vision-heads 4
exits 64; says "vision-heads: 4 was asked for, the weights have 3"

new_case "another vocabulary beside the weights is refused"
head -n 30000 "$root/data_prep/bert-base-uncased-vocab.txt" >"$scratch/hf/vocab.txt"
caption --init "$scratch/hf"
exits 65; says "$scratch/hf/vocab.txt: 30000 words instead of 30522"

new_case "a pretraining checkpoint: other parts are counted and left aside, the head stands under its second name"
make_weights '
t[head + "decoder.weight"] = t.pop(words)
t[head + "decoder.bias"] = t.pop(head + "bias")
for k in list(t):
    if k.startswith("visual_encoder"): t[k.replace("visual_encoder", "visual_encoder_m")] = t[k]
t["text_encoder.embeddings.LayerNorm.weight"] = t["text_encoder.pooler.bias"] = ["F32", [2], b"\0" * 8]
t["image_queue"], t["queue_ptr"], t["temp"] = ["F32", [2, 1], b"\0" * 8], ["I64", [1], b"\0" * 8], ["F32", [], b"\0" * 4]
' "$scratch/pretrained.safetensors"
caption --init "$scratch/pretrained.safetensors" "${heads[@]}"
exits 0; same_captions; says_not warning
says "left aside: 1 x image_queue, 1 x queue_ptr, 1 x temp, 2 x text_encoder, "; says " x visual_encoder_m"

new_case "another resolution: resized, and told; a preset asks for its own"
caption --init "$pth" "${heads[@]}" --image-size 128
exits 0; says "position embeddings resized from 6 x 6 (96 pixels) to 8 x 8 (128 pixels)"
is "$(wc -l <"$scratch/said")" 3 "captions"
caption --init "$pth" "${heads[@]}" --image-size 100
exits 64; says "--patch-size 16 does not divide --image-size 100"
caption --init "$pth" "${heads[@]}" --text-layers 4
exits 64; says "text-layers: 4 was asked for, the weights have 3"

new_case "our own weights at another resolution"
run "$blip" export --from "$pth" "${heads[@]}" --to "$scratch/ours"
exits 0
caption --init "$scratch/ours"
exits 0; same_captions
is "$(wc -c <"$scratch/errors")" 0 "characters on stderr"
caption --init "$scratch/ours" --image-size 64
exits 0; says "position embeddings resized from 6 x 6 (96 pixels) to 4 x 4 (64 pixels)"

new_case "missing and misshapen parameters: all are listed"
make_weights '
del t["visual_encoder.norm.bias"], t["text_decoder.bert.encoder.layer.1.output.dense.weight"]
t["visual_encoder.cls_token"][1] = [48]' "$scratch/lacks.safetensors"
caption --init "$scratch/lacks.safetensors" "${heads[@]}"
exits 65; says "$scratch/lacks.safetensors does not fit the model (3 of"
says "visual_encoder.norm.bias is missing, [48] is needed"
says "text_decoder.bert.encoder.layer.1.output.dense.weight is missing, [48, 192] is needed"
says "visual_encoder.cls_token is [48], needed [1, 1, 48]"

new_case "plain BERT's vocabulary, a retrieval model, no captioner at all: explained"
make_weights 't[words][1][0], t[words][2] = 30522, t[words][2][:30522 * 48 * 4]' "$scratch/bert.safetensors"
caption --init "$scratch/bert.safetensors" "${heads[@]}"
exits 65; says "$scratch/bert.safetensors"; says "plain BERT, without the tokens [DEC] and [ENC]"
make_weights 't = {k.replace("text_decoder.bert", "text_encoder"): v for k, v in t.items() if ".cls." not in k}' \
    "$scratch/retrieval.safetensors"
caption --init "$scratch/retrieval.safetensors" "${heads[@]}"
exits 65; says "it has no caption decoder"; says "it holds a text encoder instead"
caption --init "$golden/forward.safetensors" "${heads[@]}"
exits 65; says "$golden/forward.safetensors holds no BLIP captioner"
says "Its first names are "; says "expected are such as text_decoder.bert.embeddings.word_embeddings.weight and visual_encoder."

new_case "two heads that differ"
make_weights '
t[head + "decoder.weight"] = [*t[words][:2], t[words][2][:-1] + bytes([t[words][2][-1] ^ 1])]' "$scratch/two.safetensors"
caption --init "$scratch/two.safetensors" "${heads[@]}"
exits 65; says "text_decoder.cls.predictions.decoder.weight hold different values"

new_case "truncated and damaged files are refused"
for file in "$pth" "$scratch/plain.safetensors"; do
    head -c -100000 "$file" >"$scratch/short"
    caption --init "$scratch/short" "${heads[@]}"
    exits 65; says "$scratch/short"
done
cp "$pth" "$scratch/flipped"
flip_byte "$scratch/flipped" 3000000
caption --init "$scratch/flipped" "${heads[@]}"
exits 65; says "$scratch/flipped"
cp -r "$scratch/ours" "$scratch/ours_flipped"
flip_byte "$scratch/ours_flipped/model.safetensors" 3000000
caption --init "$scratch/ours_flipped"
exits 65; says "$scratch/ours_flipped/model.safetensors is damaged"

new_case "nothing there, and a folder without weights"
caption --init "$scratch/none"
exits 66; says "--init $scratch/none: no such file or folder"
caption --init "$scratch/coco"
exits 66; says "$scratch/coco holds no weights"
summary
