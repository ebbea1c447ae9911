"""Reads what `blip_mpi export` wrote of one model as PyTorch and Hugging Face read it, and prints for each file what is wrong
with it, as JSON (nothing wrong: an empty text). Called by sides.py:
    huggingface_files.py FOLDER     with model.pth, model.safetensors, back.safetensors, fp32, bf16, fp16"""
import json
import pathlib
import sys

import torch
from names import TIED, huggingface_name
from safetensors.torch import load_file
from transformers import BlipForConditionalGeneration, BlipProcessor


def bits(tensor):
    return tensor.contiguous().view(torch.uint8)


def difference(found, expected):
    """found must hold exactly the expected tensors, tied ones possibly twice."""
    lacking = sorted(expected.keys() - found.keys())
    more = sorted(found.keys() - expected.keys())
    if lacking or more:
        return f"lacks {lacking[:5]}, has {more[:5]} more"
    wrong = [n for n in expected if found[n].dtype != expected[n].dtype or not torch.equal(bits(found[n]), bits(expected[n]))]
    return f"differ: {wrong[:5]}" if wrong else ""


def state_of_pth(file):
    """Of the reference's form, by PyTorch's own restricted reader; tied tensors must share memory."""
    state = dict(torch.load(file, weights_only=True)["model"])
    for name, owner in TIED.items():
        if state[name].data_ptr() != state[owner].data_ptr():
            raise AssertionError(f"{name} is a second copy of {owner}")
        del state[name]
    positions = state.pop("text_decoder.bert.embeddings.position_ids", None)
    if positions is not None and not torch.equal(positions.flatten(), torch.arange(positions.numel())):
        raise AssertionError("position_ids do not count")
    return state


def main():
    folder = pathlib.Path(sys.argv[1])
    plain = load_file(folder / "model.safetensors")
    results = {"torch.load(weights_only=True)": difference(state_of_pth(folder / "model.pth"), plain)}
    results["from_pretrained, imported and exported again"] = difference(load_file(folder / "back.safetensors"), plain)
    for name, dtype in {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}.items():
        model, info = BlipForConditionalGeneration.from_pretrained(
            folder / name, local_files_only=True, output_loading_info=True, torch_dtype=dtype
        )
        strange = {key: sorted(map(str, value)) for key, value in info.items() if value}
        expected = {huggingface_name(n): t.to(dtype) for n, t in plain.items()}
        results[f"from_pretrained, {name}"] = str(strange or "") or difference(dict(model.named_parameters()), expected)
        processor = BlipProcessor.from_pretrained(folder / name, local_files_only=True, use_fast=False)
        ids = processor.tokenizer("a picture of a dog").input_ids
        good = ids == [101, 1037, 3861, 1997, 1037, 3899, 102] and processor.tokenizer.convert_tokens_to_ids("[DEC]") == 30522
        results[f"BlipProcessor, {name}"] = "" if good else f"tokens {ids}"
    print(json.dumps(results))


main()
