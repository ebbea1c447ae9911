#!/usr/bin/env python3
"""Prints tests/golden/data/huggingface_names.json: names and shapes of all tensors of Hugging Face's
BlipForConditionalGeneration in the two published sizes, the number of a layer written as N. Needs torch and transformers
(written with 2.11 and 5.x; no weights are loaded or downloaded).
"""
import json
import re

import torch
from transformers import BlipConfig, BlipForConditionalGeneration

sizes = {}
for size, (width, depth, heads) in {"base": (768, 12, 12), "large": (1024, 24, 16)}.items():
    config = BlipConfig(
        text_config={"num_attention_heads": 12, "encoder_hidden_size": width},
        vision_config={"hidden_size": width, "num_hidden_layers": depth, "num_attention_heads": heads,
                       "intermediate_size": 4 * width, "image_size": 384})
    with torch.device("meta"):
        tensors = BlipForConditionalGeneration(config).state_dict()
    shapes = {}
    for name, tensor in tensors.items():
        pattern, shape = re.sub(r"\.(layers?)\.\d+\.", r".\1.N.", name), list(tensor.shape)
        assert shapes.setdefault(pattern, shape) == shape, name
    sizes[size] = {"count": len(tensors), "tensors": shapes}
parts = []
for size, entry in sizes.items():
    rows = ",\n".join(f"   {json.dumps(name)}: {json.dumps(shape)}" for name, shape in entry["tensors"].items())
    parts.append(f' "{size}": {{\n  "count": {entry["count"]},\n  "tensors": {{\n{rows}\n  }}\n }}')
print("{\n" + ",\n".join(parts) + "\n}")
