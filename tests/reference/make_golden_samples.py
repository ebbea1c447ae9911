#!/usr/bin/env python3
"""Writes tests/golden/data/{text,bleu}_sample.json: a few rows of the golden data, so that unit tests run without it.

Usage: make_golden_samples.py GOLDEN_DIR   (holds wordpiece.json.gz, golden.json.gz, metrics.json.gz, metrics_hard.json.gz)
"""
import gzip
import json
import pathlib
import sys


def load(path):
    return json.load(gzip.open(path))


def main():
    golden = pathlib.Path(sys.argv[1])
    data = pathlib.Path(__file__).parent.parent / "golden/data"

    words = load(golden / "wordpiece.json.gz")
    odd = len(words["weird"])
    generated = load(golden / "golden.json.gz")["generation"]["runs"][0]
    text = {"texts": words["weird"], "pre_caption": words["pre_caption"][-odd:], "ids": words["ids"][-odd:],
            "generated": generated["tokens"][:8], "captions": generated["captions"][:8]}
    (data / "text_sample.json").write_text(json.dumps(text, separators=(",", ":")) + "\n")

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
