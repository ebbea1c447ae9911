# shellcheck shell=bash
# Sourced by the init_ scripts: the golden checkpoint of the reference, and weights made of it under other names, with
# tensors more or less. Built on run_lib.sh.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/run_lib.sh"
golden=${BLIP_GOLDEN_DIR:-$root/../shared/golden}
pth=$golden/tiny_reference.pth
if [ ! -r "$pth" ]; then
    echo "skipped: $(basename "$0") (no golden data)"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
# shellcheck disable=SC2034
heads=(--text-heads 4 --vision-heads 3)    # which weights do not tell

# make_weights PYTHON OUT: the golden checkpoint as safetensors, after PYTHON has changed t (name -> [dtype, shape, bytes])
make_weights() {
    [ -e "$scratch/plain.safetensors" ] ||
        python3 "$root/tests/reference/pth_to_safetensors.py" "$pth" "$scratch/plain.safetensors" || exit 1
    python3 - "$scratch/plain.safetensors" "$2" "$1" <<'PYTHON' || exit 1
import json, struct, sys
raw = open(sys.argv[1], "rb").read()
length, = struct.unpack("<Q", raw[:8])
header, data = json.loads(raw[8:8 + length]), raw[8 + length:]
t = {k: [v["dtype"], v["shape"], data[slice(*v["data_offsets"])]] for k, v in header.items() if k != "__metadata__"}
words, head = "text_decoder.bert.embeddings.word_embeddings.weight", "text_decoder.cls.predictions."
exec(sys.argv[3])
table, at = {}, 0
for name, (dtype, shape, value) in t.items():
    table[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(value)]}
    at += len(value)
text = json.dumps(table).encode()
text += b" " * (-len(text) % 8)
open(sys.argv[2], "wb").write(struct.pack("<Q", len(text)) + text + b"".join(v[2] for v in t.values()))
PYTHON
}
# Hugging Face's names by the table in the reference's description, not by the program's.
# shellcheck disable=SC2034
huggingface_names='
import re
rules = [(r"visual_encoder\.cls_token", "vision_model.embeddings.class_embedding"),
         (r"visual_encoder\.pos_embed", "vision_model.embeddings.position_embedding"),
         (r"visual_encoder\.patch_embed\.proj", "vision_model.embeddings.patch_embedding"),
         (r"visual_encoder\.norm\.", "vision_model.post_layernorm."),
         (r"visual_encoder\.blocks\.", "vision_model.encoder.layers."),
         (r"(layers\.\d+)\.norm", r"\1.layer_norm"), (r"(layers\.\d+)\.attn\.proj", r"\1.self_attn.projection"),
         (r"(layers\.\d+)\.attn\.", r"\1.self_attn.")]
def rename(name):
    for pattern, to in rules: name = re.sub(pattern, to, name)
    return name
t = {rename(k): v for k, v in t.items() if not k.endswith(("position_ids", "decoder.weight", "decoder.bias"))}
assert sum(k.startswith("vision_model.") for k in t) > 30 and not any(k.startswith("visual_encoder") for k in t)
'
