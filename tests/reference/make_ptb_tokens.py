#!/usr/bin/env python3
"""Writes tests/golden/data/ptb_tokens.json: the tokens that the COCO evaluation's tokenizer gives for ptb_lines.txt
(written by hand, a rule at a time) and ptb_lines_drawn.txt (make_ptb_lines.py).

Runs the Java tokenizer which the Python package pycocoevalcap carries as a black box; only its output is used.
Usage: make_ptb_tokens.py stanford-corenlp-3.4.1.jar   (inside pycocoevalcap/tokenizer/; needs a Java 8+ runtime)
"""
import json
import pathlib
import subprocess
import sys
import tempfile

DROPPED = set("'' ' `` ` -LRB- -RRB- -LCB- -RCB- . ? ! , : - -- ... ;".split())


def tokenize(jar, path):
    command = ["java", "-cp", jar, "edu.stanford.nlp.process.PTBTokenizer", "-preserveLines", "-lowerCase", str(path)]
    output = subprocess.run(command, capture_output=True, check=True).stdout.decode("utf-8")
    return [" ".join(w for w in line.rstrip().split(" ") if w not in DROPPED) for line in output.split("\n")]


def main():
    here = pathlib.Path(__file__).parent
    text = "".join((here / name).read_text(encoding="utf-8") for name in ("ptb_lines.txt", "ptb_lines_drawn.txt"))
    lines = text.split("\n")[:-1]
    with tempfile.NamedTemporaryFile(suffix=".txt") as file:
        file.write(text.encode())
        file.flush()
        tokens = tokenize(sys.argv[1], file.name)
    if len(tokens) < len(lines):
        sys.exit("make_ptb_tokens.py: a line holds a line break")
    table = [{"line": line, "tokens": token} for line, token in zip(lines, tokens)]
    text = ",\n".join(json.dumps(row, ensure_ascii=False) for row in table)
    (here.parent / "golden/data/ptb_tokens.json").write_text(f"[\n{text}\n]\n", encoding="utf-8")


main()
