#!/usr/bin/env bash
# The export verb as its users meet it: every form is read back by the program and, value by value, by Python's own
# libraries; captions stay the same; nothing is overwritten, and nothing half-written is left.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"

# export_it ARGUMENT...
export_it() { run "$blip" export --threads 1 --no-progress "$@"; }
exported() {
    export_it "$@"
    exits 0
}
# digest: what the last export said of its weights
digest() { sed -n 's/.*xxh3 of the weights //p' "$output"; }
# tensors PYTHON FILE...: runs PYTHON with files, a list of {name: (dtype, shape, bytes)}, from the safetensors given
tensors() {
    local said
    said=$(python3 -c '
import array, json, struct, sys
def read(path):
    raw = open(path, "rb").read()
    length = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + length])
    metadata.append(header.pop("__metadata__", {}))
    def data(entry):
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        return raw[begin:end]
    return {name: (entry["dtype"], entry["shape"], data(entry)) for name, entry in header.items()}
metadata = []
files = [read(path) for path in sys.argv[2:]]
exec(sys.argv[1])' "$@" 2>&1) || fail "$(tail -n 3 <<<"$said")"
}
# from_pth FILE.pth OUT.safetensors: by the standard library's zipfile and pickle
from_pth() {
    local said
    said=$(python3 tests/reference/pth_to_safetensors.py "$1" "$2" 2>&1) || fail "$1: $(tail -n 1 <<<"$said")"
}
# same_weights_in A B: the same parameters, bit for bit; b may hold the head and the position ids beside them
same_weights_in() {
    tensors '
extra = {"text_decoder.cls.predictions.decoder.weight", "text_decoder.cls.predictions.decoder.bias",
         "text_decoder.bert.embeddings.position_ids"}
assert files[0], "no tensors"
assert set(files[0]) - extra == set(files[1]) - extra, set(files[0]) ^ set(files[1])
for name in set(files[0]) - extra:
    assert files[0][name] == files[1][name], name' "$1" "$2"
}
shape_heads=(--text-heads 2 --vision-heads 2)    # what neither a .pth nor a single file of others says

new_case "random weights are a function of the seed alone"
exported --from random "${shape[@]}" --seed 7 --to "$scratch/a"
says "new random weights from seed 7"
first=$(digest)
exported --from random "${shape[@]}" --seed 7 --to "$scratch/again.safetensors"
is "$(digest)" "$first" "digest of the same seed"
same_file "$scratch/a/model.safetensors" "$scratch/again.safetensors" "the file of the same seed"
exported --from random "${shape[@]}" --seed 8 --to "$scratch/other.safetensors"
[ "$(digest)" != "$first" ] || fail "another seed gives the same weights"

new_case "a folder of ours comes out as it went in, byte for byte"
exported --from "$scratch/a" --to "$scratch/b"
is "$(digest)" "$first" digest
for name in model.safetensors config.json vocab.txt; do same_file "$scratch/a/$name" "$scratch/b/$name" "$name"; done
is "$(find "$scratch/b" -type f | wc -l)" 3 "files in the folder"

new_case "ours -> .pth -> ours -> Hugging Face folder -> ours: bit-identical"
exported --from "$scratch/a" --to "$scratch/a.pth"
says "weights_only=True"
from_pth "$scratch/a.pth" "$scratch/by_python.safetensors"
same_weights_in "$scratch/a/model.safetensors" "$scratch/by_python.safetensors"
exported --from "$scratch/a.pth" "${shape_heads[@]}" --to "$scratch/from_pth"
is "$(digest)" "$first" "digest after the .pth"
same_weights_in "$scratch/a/model.safetensors" "$scratch/from_pth/model.safetensors"
exported --from "$scratch/from_pth" --names huggingface --to "$scratch/hf"
says "BlipForConditionalGeneration.from_pretrained"
exported --from "$scratch/hf" --to "$scratch/from_hf"
is "$(digest)" "$first" "digest after the Hugging Face folder"
same_weights_in "$scratch/a/model.safetensors" "$scratch/from_hf/model.safetensors"
tensors '
a, b = (json.loads(m["config"]) for m in metadata)
assert a["model"].pop("preset") == "tiny" and b["model"].pop("preset")    # dimensions that are no preset have any name
assert a == b, (a, b)' \
    "$scratch/a/model.safetensors" "$scratch/from_hf/model.safetensors"

new_case "the .pth is a sound zip of stored entries with the reference's keys, the tied ones sharing a storage"
run python3 - "$scratch/a.pth" <<'PYTHON'
import io, pickletools, sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
assert archive.testzip() is None
assert all(entry.compress_type == zipfile.ZIP_STORED for entry in archive.infolist())
root = archive.namelist()[0].split("/")[0]
assert archive.namelist()[0] == root + "/data.pkl"
assert archive.read(root + "/byteorder") == b"little" and archive.read(root + "/version") == b"3\n"
text = io.StringIO()
pickletools.dis(archive.read(root + "/data.pkl"), text)    # checks opcodes, stack and marks, too
named = {line.split("GLOBAL")[1].strip(" '\n") for line in text.getvalue().splitlines() if "GLOBAL" in line}
assert named == {"collections OrderedDict", "torch._utils _rebuild_tensor_v2", "torch FloatStorage", "torch LongStorage"}, named
keys = [line.split("'")[1] for line in text.getvalue().splitlines() if "BINUNICODE" in line and "." in line]
for key in ("visual_encoder.pos_embed", "text_decoder.bert.embeddings.position_ids",
            "text_decoder.cls.predictions.decoder.weight", "text_decoder.cls.predictions.decoder.bias"):
    assert keys.count(key) == 1, key
storages = [name for name in archive.namelist() if "/data/" in name]
assert len(storages) == len(keys) - 2, (len(storages), len(keys))
PYTHON
exits 0

new_case "real torch reads the .pth with weights_only, tied and equal"
torch_home=${LIBTORCH:-$HOME/.cache/blip_mpi/torch-2.11.0-cu130}
if python3 -c 'import torch' 2>/dev/null || PYTHONPATH=$torch_home python3 -c 'import torch' 2>/dev/null; then
    python3 -c 'import torch' 2>/dev/null || export PYTHONPATH=$torch_home
    run python3 - "$scratch/a.pth" <<'PYTHON'
import sys, torch
state = torch.load(sys.argv[1], weights_only=True, map_location="cpu")["model"]
mapped = torch.load(sys.argv[1], weights_only=True, mmap=True)["model"]
assert len(state) > 40 and all(torch.equal(state[key], mapped[key]) for key in state)
words, head = (state["text_decoder." + key] for key in ("bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"))
assert words.data_ptr() == head.data_ptr() and words.shape[0] == 30524
assert state["text_decoder.bert.embeddings.position_ids"].tolist() == [list(range(64))]
PYTHON
    exits 0
    unset PYTHONPATH
else
    skip_case "no torch in this Python"
fi

# A short training, so that there are captions to compare, and a checkpoint with its own prompt beside them.
draw_sample 12
micro=12 train 1 "$scratch/run" --epochs 4 --limit 1
mapfile -t pictures < <(find "$scratch/coco/val2014" -name '*.jpg' | sort)
captions() { run "$blip" caption --threads 1 --no-progress --json --init "$@" "${pictures[@]}"; exits 0; }
sed 's/a picture of /a painting of /g' "$scratch/run/best/config.json" >"$scratch/.config"

new_case "captions are the same from every form"
captions "$scratch/run/best"
grep -v warning "$output" >"$scratch/expected"
is "$(grep -c '"caption"' "$scratch/expected")" "${#pictures[@]}" "captions"
for to in ours ours.safetensors ours.pth; do exported --from "$scratch/run" --to "$scratch/$to"; done
exported --from "$scratch/run/best" --to "$scratch/ours_hf" --names huggingface
exported --from "$(last_checkpoint "$scratch/run")" --to "$scratch/last.safetensors"
for to in ours ours.safetensors ours_hf "ours.pth ${shape_heads[*]}"; do
    # shellcheck disable=SC2086
    captions $scratch/${to}
    grep '"file"' "$output" >"$scratch/said"
    same_file "$scratch/expected" "$scratch/said" "what is said of the pictures from $to"
done

new_case "prompt and origin come along"
tensors '
config = [json.loads(m["config"]) for m in metadata]
assert config[0]["note"]["epoch"] >= 0 and config[0] == config[1] == config[2], config' \
    "$scratch/run/best/model.safetensors" "$scratch/ours.safetensors" "$scratch/ours_hf/model.safetensors"

new_case "bf16 and fp16 are rounded to the nearest, ties to even, and read back as rounded"
for dtype in bf16 fp16; do
    exported --from "$scratch/a" --to "$scratch/$dtype.safetensors" --dtype $dtype
    exported --from "$scratch/$dtype.safetensors" --to "$scratch/$dtype.back.safetensors"
done
exported --from "$scratch/a" --to "$scratch/bf16.pth" --dtype bf16
from_pth "$scratch/bf16.pth" "$scratch/bf16.by_python.safetensors"
same_weights_in "$scratch/bf16.safetensors" "$scratch/bf16.by_python.safetensors"
tensors '
exact, bf16, fp16, bf16_back, fp16_back = files
values = 0
def check(name, kind, rounded, back):
    assert rounded[name][0] == kind and rounded[name][1] == exact[name][1], name
    expected, again = (array.array(code, data) for code, data in (("H", rounded[name][2]), ("f", back[name][2])))
    return expected, again
for name, (_, _, data) in exact.items():
    bits, numbers = array.array("I", data), array.array("f", data)
    half = array.array("H", struct.pack("<%de" % len(numbers), *numbers))
    brain = array.array("H", (((word + 0x7fff + (word >> 16 & 1)) >> 16) for word in bits))
    stored, again = check(name, "BF16", bf16, bf16_back)
    assert stored == brain, name
    assert array.array("I", again.tobytes()) == array.array("I", (word << 16 for word in brain)), name
    stored, again = check(name, "F16", fp16, fp16_back)
    assert stored == half and again.tolist() == list(struct.unpack("<%de" % len(half), half.tobytes())), name
    values += len(bits)
assert values > 900000, values' "$scratch/a/model.safetensors" "$scratch"/{bf16,fp16,bf16.back,fp16.back}.safetensors

new_case "fp16 refuses what it cannot hold"
python3 - "$scratch/again.safetensors" "$scratch/huge.safetensors" <<'PYTHON'
import json, struct, sys
raw = bytearray(open(sys.argv[1], "rb").read())
length = struct.unpack("<Q", raw[:8])[0]
header = json.loads(raw[8:8 + length])
begin = 8 + length + header["visual_encoder.cls_token"]["data_offsets"][0]
raw[begin:begin + 4] = struct.pack("<f", 70000)
for digest in ("xxh3", "header_xxh3"): header["__metadata__"].pop(digest)
text = json.dumps(header, separators=(",", ":")).encode()
text += b" " * (length - len(text))
open(sys.argv[2], "wb").write(raw[:8] + text + raw[8 + length:])
PYTHON
export_it --from "$scratch/huge.safetensors" --to "$scratch/huge16.safetensors" --dtype fp16
exits 65
says "visual_encoder.cls_token"
says "--dtype bf16"
leaves_nothing_like "$scratch/huge16*"
exported --from "$scratch/huge.safetensors" --to "$scratch/huge16.safetensors" --dtype bf16

new_case "nothing is overwritten unasked; with --overwrite only what an export wrote"
cp "$scratch/a.pth" "$scratch/before.pth"
export_it --from "$scratch/hf" --to "$scratch/a.pth"
exits 64
says "--overwrite replaces it"
same_file "$scratch/before.pth" "$scratch/a.pth" "the refused target"
export_it --from "$scratch/hf" --to "$scratch/b" --names huggingface
exits 64
exported --from "$scratch/hf" --to "$scratch/b" --names huggingface --overwrite
is "$(find "$scratch/b" -type f | wc -l)" 7 "files in the folder"
touch "$scratch/b/thesis.tex"
export_it --from "$scratch/hf" --to "$scratch/b" --overwrite
exits 64
says "holds thesis.tex"
is "$(find "$scratch/b" -type f | wc -l)" 8 "files in the folder"
exported --from "$scratch/hf" --to "$scratch/a.pth" --overwrite
same_file "$scratch/before.pth" "$scratch/a.pth" "the same weights in the same form"

new_case "the source is never written into"
for to in hf hf/new hf/x.pth; do
    export_it --from "$scratch/hf" --to "$scratch/$to" --overwrite
    exits 64
    says "lies in --from"
done
export_it --from "$scratch/hf/model.safetensors" --to "$scratch/hf" --overwrite
exits 64
says "holds --from"

new_case "usage: forms that are not written, folders that are not there, shapes that contradict"
export_it --from "$scratch/a" --to "$scratch/x.bin"
exits 64
says "NAME.pth"
export_it --from "$scratch/a" --to "$scratch/x.safetensors" --names huggingface
exits 64
says "makes a folder"
export_it --from "$scratch/a" --to "$scratch/none/x.pth"
exits 66
says "create it first"
export_it --from "$scratch/nothing" --to "$scratch/x.pth"
exits 66
says "nothing"
export_it --from "$scratch/a" --text-layers 5 --to "$scratch/x.pth"
exits 64
says "text-layers"
leaves_nothing_like "$scratch/x*"

new_case "a write that fails leaves nothing and says which file"
for to in full.safetensors full.pth full; do
    run bash -c "trap '' XFSZ; ulimit -f 2000; exec '$blip' export --threads 1 --no-progress --from '$scratch/a' --to '$scratch/$to'"
    exits 74
    says "$to"
    leaves_nothing_like "$scratch/full*"
done

new_case "a signal before the writing leaves nothing"
start "$blip" export --threads 1 --no-progress --from random --model tiny --text-hidden 512 --to "$scratch/stopped.pth"
wait_for 20 grep -q "new random weights" "$output"
kill -INT "$job"
finish_job 60
exits 85
says "stopped by a signal"
leaves_nothing_like "$scratch/stopped*"

golden=${BLIP_GOLDEN_DIR:-$root/../shared/golden}
new_case "the reference's checkpoint -> ours -> Hugging Face folder -> .pth: bit-identical"
if [ -e "$golden/tiny_reference.pth" ]; then
    from_pth "$golden/tiny_reference.pth" "$scratch/golden.safetensors"
    exported --from "$golden/tiny_reference.pth" --text-heads 4 --vision-heads 3 --to "$scratch/golden_ours"
    same_weights_in "$scratch/golden.safetensors" "$scratch/golden_ours/model.safetensors"
    exported --from "$scratch/golden_ours" --to "$scratch/golden_hf" --names huggingface
    exported --from "$scratch/golden_hf" --to "$scratch/golden_back.pth"
    from_pth "$scratch/golden_back.pth" "$scratch/golden_back.safetensors"
    tensors 'assert files[0] == files[1], {name for name in files[0] if files[0][name] != files[1].get(name)}' \
        "$scratch/golden.safetensors" "$scratch/golden_back.safetensors"
else
    skip_case "no $golden"
fi
summary
