#!/usr/bin/env python3
"""Seeds for the fuzzers, made from the small files of the unit tests: make_seeds.py SAMPLES_DIR OUT_DIR

OUT_DIR/safetensors: a few headers; OUT_DIR/pth: each sample as a zip (behind an odd byte) and its pickle alone (behind an
even one), and pickles that ask for calls.
"""
import json
import pathlib
import struct
import sys
import zipfile


def safetensors(header, data_bytes):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(range(data_bytes))


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


HEADERS = {
    "one": safetensors({"a": entry("F32", [2, 3], 0, 24)}, 24),
    "types": safetensors({"h": entry("F16", [3], 0, 6), "b": entry("BF16", [1], 6, 8), "d": entry("F64", [1], 8, 16),
                          "i": entry("I64", [], 16, 24), "u": entry("U8", [2], 24, 26), "o": entry("BOOL", [0, 5], 26, 26)}, 26),
    "metadata": safetensors({"__metadata__": {"format": "pt", "k": "v"}, "w": entry("F32", [1], 0, 4)}, 4),
    "overlap": safetensors({"a": entry("F32", [2], 0, 8), "b": entry("F32", [1], 4, 8)}, 8),
    "huge": safetensors({"a": entry("F32", [2**62, 8], 0, 8)}, 8),
    "padded": safetensors(json.dumps({"a": entry("U16", [2], 0, 4)}).encode() + b"     ", 4),
    "text": safetensors(b'{"\\u00e9\\n":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} ', 4),
}
PICKLES = {
    "system": b"cos\nsystem\n(S'true'\ntR.",
    "inst": b"(S'true'\nios\nsystem\n.",
    "obj": b"(cposix\nsystem\nX\x04\x00\x00\x00trueo.",
    "newobj": b"\x80\x02csubprocess\nPopen\nX\x04\x00\x00\x00true\x85\x81.",
    "stack_global": b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.",
    "nested": b"\x80\x02" + b"(" * 40 + b"N" + b"t" * 40 + b".",
    "lines": b"(dS'a'\nI1\nsS'b'\nL2L\nsS'c'\nF1.5\nsp0\ng0\n0.",
}


def main():
    samples, out = map(pathlib.Path, sys.argv[1:3])
    for kind, seeds in ("safetensors", HEADERS), ("pth", {name: b"\0" + text for name, text in PICKLES.items()}):
        (out / kind).mkdir(parents=True, exist_ok=True)
        for name, content in seeds.items():
            (out / kind / name).write_bytes(content)
    for sample in sorted(samples.glob("*.pth")):
        (out / "pth" / (sample.stem + "_zip")).write_bytes(b"\1" + sample.read_bytes())
        if not zipfile.is_zipfile(sample):
            continue
        with zipfile.ZipFile(sample) as archive:
            for name in archive.namelist():
                if name.endswith("/data.pkl"):
                    (out / "pth" / (sample.stem + "_pickle")).write_bytes(b"\0" + archive.read(name))


main()
