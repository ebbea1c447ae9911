#!/usr/bin/env python3
"""Prints tests/golden/data/transformers_search.json: captions as the beam search of Hugging Face transformers gives them, of
small table language models (logits = table[position of the last token][last token] / 64) and of the reference's small model.

    make_transformers_search.py FOLDER GOLDEN COCO

FOLDER: what blip_mpi export --from GOLDEN/tiny_reference.pth --text-heads 4 --vision-heads 3 --names huggingface --to FOLDER
writes. GOLDEN, COCO: the folders that BLIP_GOLDEN_DIR and BLIP_COCO_DIR name. Needs torch and transformers, as env/parity.sh
has them; transformers 4.57.6 and 5.24.0 print the same but for their own name.
"""
import gzip
import json
import pathlib
import random
import sys

import torch
import transformers
from PIL import Image
from transformers import BlipForConditionalGeneration, BlipProcessor, GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput

END, PAD, VOCABULARY, POSITIONS = 1, 0, 12, 10
PROMPT, SEP = "a picture of ", 102


class TableModel(PreTrainedModel, GenerationMixin):
    config_class = PretrainedConfig
    main_input_name = "input_ids"

    def __init__(self, table):
        super().__init__(PretrainedConfig(vocab_size=VOCABULARY))
        self.table = torch.nn.Parameter(torch.tensor(table, dtype=torch.float32) / 64)

    def prepare_inputs_for_generation(self, input_ids, **_):
        return {"input_ids": input_ids}

    def forward(self, input_ids, **_):
        return CausalLMOutput(logits=self.table[input_ids.shape[1] - 1][input_ids[:, -1]].unsqueeze(1))


def until_end(rows, prompt, end):
    """Without what fills the rows behind the first end token."""
    return [row[: row.index(end, prompt) + 1] if end in row[prompt:] else row for row in rows.tolist()]


def table_searches(draw):
    """The end token is likelier in each next table."""
    tables = [[[draw.sample(range(-160, 160), VOCABULARY) for _ in range(VOCABULARY)] for _ in range(POSITIONS)] for _ in range(3)]
    for leaning, table in enumerate(tables):
        for row in (row for position in table for row in position):
            row[END] += 64 * leaning
    cases = []
    for case in range(72):
        length = draw.choice((1, 2, 4))
        settings = {
            "num_beams": (2, 3, 5)[case % 3],
            "max_length": draw.choice((6, 10)),
            "min_length": draw.choice((0, 5)),
            "length_penalty": draw.choice((-1.0, 0.0, 0.5, 1.0, 1.0, 2.0)),
            "repetition_penalty": draw.choice((1.0, 1.0, 1.3)),
        }
        prompts = [[draw.randrange(2, VOCABULARY) for _ in range(length)] for _ in range(3)]
        rows = TableModel(tables[case // 3 % 3]).generate(
            torch.tensor(prompts), num_return_sequences=settings["num_beams"], do_sample=False, use_cache=False,
            eos_token_id=END, pad_token_id=PAD, **settings)
        cases.append({"table": case // 3 % 3, "settings": settings, "prompt": prompts, "output": until_end(rows, length, END)})
    return tables, cases


def picture_searches(folder, golden, coco):
    generation = json.loads(gzip.open(golden / "golden.json.gz").read())["generation"]
    processor = BlipProcessor.from_pretrained(folder, use_fast=False)
    model = BlipForConditionalGeneration.from_pretrained(folder).eval()
    pictures = [Image.open(coco / name) for name in generation["images"]]
    pixels = processor.image_processor(images=pictures, return_tensors="pt").pixel_values
    prompt = processor.tokenizer([PROMPT] * len(pictures), return_tensors="pt")
    runs = []
    for settings in (run["settings"] for run in generation["runs"] if run["settings"]["num_beams"] > 1):
        rows = model.generate(pixel_values=pixels, input_ids=prompt.input_ids.clone(), attention_mask=prompt.attention_mask,
                              do_sample=False, **settings)
        runs.append({"settings": settings, "tokens": until_end(rows, prompt.input_ids.shape[1] - 1, SEP)})
    return runs


def main():
    folder, golden, coco = map(pathlib.Path, sys.argv[1:])
    with torch.no_grad():
        tables, cases = table_searches(random.Random(17))
        runs = picture_searches(folder, golden, coco)

    def lines(rows):
        return ",\n".join("  " + json.dumps(row, separators=(",", ":")) for row in rows)

    print(f'{{\n "transformers": "{transformers.__version__}", "end_token": {END}, "pad_token": {PAD},\n "tables": [')
    print(f'{lines(tables)}\n ],\n "cases": [\n{lines(cases)}\n ],\n "pictures": [\n{lines(runs)}\n ]\n}}')


main()
