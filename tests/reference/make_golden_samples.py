#!/usr/bin/env python3
"""Writes tests/golden/data/{text_sample.json,bleu_sample.json,augment_ops_sample.safetensors}: a little of the golden
data, so that tests run without it.

Usage: make_golden_samples.py GOLDEN_DIR   (holds wordpiece.json.gz, golden.json.gz, metrics.json.gz, metrics_hard.json.gz,
augment_ops.safetensors)
"""
import gzip
import json
import pathlib
import struct
import sys


def load(path):
    return json.load(gzip.open(path))


def augment_sample(source, target):
    """The smallest picture of the file (its sides are odd, one channel is uniform) under each operator."""
    content = source.read_bytes()
    start = 8 + struct.unpack("<Q", content[:8])[0]
    entries = json.loads(content[8:start])
    smallest = min((name for name in entries if name.endswith(".input")),
                   key=lambda name: entries[name]["shape"][0] * entries[name]["shape"][1]).split(".")[0]
    chosen, data = {}, b""
    for name, entry in sorted(entries.items()):
        if name.split(".")[0] != smallest or name.endswith((".equalize", ".autocontrast_reference")):
            continue
        begin, end = entry["data_offsets"]
        chosen[name] = dict(entry, data_offsets=[len(data), len(data) + end - begin])
        data += content[start + begin:start + end]
    header = json.dumps(chosen, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    target.write_bytes(struct.pack("<Q", len(header)) + header + data)


def main():
    golden = pathlib.Path(sys.argv[1])
    data = pathlib.Path(__file__).parent.parent / "golden/data"

    words = load(golden / "wordpiece.json.gz")
    odd = len(words["weird"])
    generated = load(golden / "golden.json.gz")["generation"]["runs"][0]
    text = {"texts": words["weird"], "pre_caption": words["pre_caption"][-odd:], "ids": words["ids"][-odd:],
            "generated": generated["tokens"][:8], "captions": generated["captions"][:8]}
    (data / "text_sample.json").write_text(json.dumps(text, separators=(",", ":")) + "\n")

    augment_sample(golden / "augment_ops.safetensors", data / "augment_ops_sample.safetensors")

    metrics = load(golden / "metrics.json.gz")
    references = metrics["references_tokenized"]
    rows = [{"hypothesis": metrics["hypotheses_tokenized"][str(i)][0], "references": references[str(i)],
             "bleu": [metrics["per_image"][f"Bleu_{n}"][k] for n in (1, 2, 3, 4)]}
            for k, i in enumerate(metrics["image_ids"][:6])]
    for variant in load(golden / "metrics_hard.json.gz")["variants"]:
        rows.append({"hypothesis": variant["hypotheses_tokenized"][0], "references": references[str(variant["image_ids"][0])],
                     "bleu": [variant["per_image"][f"Bleu_{n}"][0] for n in (1, 2, 3, 4)]})
    (data / "bleu_sample.json").write_text(json.dumps(rows, indent=0) + "\n")


main()
