#!/usr/bin/env python3
"""Seeds for the fuzzers, some from the small files of the unit tests and the job files: make_seeds.py SAMPLES_DIR OUT_DIR

OUT_DIR/safetensors: a few headers; OUT_DIR/pth: each sample as a zip (behind an odd byte) and its pickle alone (behind an
even one), and pickles that ask for calls; OUT_DIR/annotations: each form of captions in JSON behind its reader's number;
OUT_DIR/manifest, OUT_DIR/config, OUT_DIR/tables, OUT_DIR/clip, OUT_DIR/tars: see their fuzzers. The packed file's seeds are written by packed_seed.cpp.
"""
import gzip
import io
import json
import pathlib
import struct
import sys
import tarfile
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


ANNOTATIONS = [    # by the number of the reader, the last one 11
    [{"caption": "A cat.", "image": "val2014/COCO_val2014_000000000042.jpg", "image_id": "coco_42"}],
    [{"image": "val2014/COCO_val2014_000000000042.jpg", "caption": ["A cat.", "caf\u00e9"]}],
    {"images": [{"id": 42, "file_name": "a_42.jpg"}], "annotations": [{"id": 1, "image_id": 42, "caption": "A cat."}]},
    {"images": [{"filepath": "val2014", "filename": "a_42.jpg", "cocoid": 42, "split": "restval",
                 "sentids": [1], "sentences": [{"raw": "A cat.", "tokens": ["a", "cat"]}]}]},
    {"images": [{"id": 42, "domain": "in-domain"}], "annotations": [{"image_id": 42, "caption": "A cat."}]},
    {"images": [{"imgid": 0, "split": "test", "sentences": [{"raw": "A cat."}]}]},
    [{"image_id": 42, "caption": "A cat."}, {"image_id": "x", "caption": ""}],
]
ROWS = [(6, 'image,caption,split\n"a ""b"".jpg","A cat,\na dog",train\nc.jpg,"",val\n'), (6, "a.jpg;x\nb.jpg;y\n"),
        (7, '{"file_name": "a.jpg", "text": ["A cat."], "id": 7}\n{"image": "b/c.jpg", "caption": "caf\u00e9"}\n'),
        (8, '[{"id": "x", "image": "a.jpg", "conversations": [{"from": "gpt", "value": "A cat."}]}]'),
        (9, "1000268201_693b08cb0e.jpg#0\tA child .\n"), (10, '[{"img_id": 0, "domain": "x", "image": "a.jpg", "caption": ["x"]}]')]
REFERENCES = [{"42": ["A cat.", "Two cats."], "a": []}, ANNOTATIONS[0], ANNOTATIONS[1]]
MODEL = ("text_hidden", "text_heads", "text_intermediate", "text_layers", "text_positions", "vision_width", "vision_depth",
         "vision_heads", "image_size", "patch_size")
MANIFEST = {"kind": "blip_mpi checkpoint", "format": 2, "digest": "0" * 16,
            "state": {"global_step": 120, "epoch": 1, "step_in_epoch": 20, "seed": 2**64 - 1}, "update_count": 119,
            "world_size": 1, "threads": 2, "model": {"preset": "tiny"} | {name: 16 for name in MODEL},
            "identity": {"seed": "42"}, "other_bits": {"threads": "2"}, "other_scores": {}, "config": "seed = 42\n",
            "shards": [{"name": "shard-00000-of-00001.safetensors", "bytes": 5, "xxh3": "f" * 16}]}
YAML = b"""image_root: '/data/coco/'
pretrained: ''
vit: 'base'  # or large
vit_grad_ckpt: False
vit_ckpt_layer: 0
batch_size: 32
init_lr: 1e-5
prompt: 'a picture of '
"""


TABLES = [    # by the number of the reader
    b"a\nthe\n", b"big\n1 2\nlarge\n2 30\nbig_deal\n4\n", b"go\nwent gone\nman\nmen\n", b"0.5\nbig dog\nlarge dog\n1e-2\nbig dog\ndog\n",
    b'{"documents": 3, "df": {"a": 3,\n"a dog": 2}}\n',
    b'{"metadata": {"total_size": 4}, "weight_map": {"a": "model-00001-of-00002.safetensors", "b": "../b"}}',
]


def write_texts(out):
    for kind in "annotations", "manifest", "config":
        (out / kind).mkdir(parents=True, exist_ok=True)
    forms = [(n if n < 6 else 11, form) for n, form in enumerate(ANNOTATIONS)] + [(4, form) for form in REFERENCES]
    forms += [(5, ANNOTATIONS[3])] + [(10, form) for form in ANNOTATIONS[:4]]
    for number, (reader, text) in enumerate(ROWS):
        (out / "annotations" / f"rows{number}").write_bytes(bytes([reader]) + text.encode())
    for number, (reader, form) in enumerate(forms):
        (out / "annotations" / str(number)).write_bytes(bytes([reader]) + json.dumps(form).encode())
    text = json.dumps(MANIFEST, indent=2).encode() + b"\n"
    (out / "manifest" / "whole").write_bytes(b"\1" + text)
    (out / "manifest" / "another_kind").write_bytes(b"\0" + text.replace(b"checkpoint", b"model"))
    (out / "config" / "yaml").write_bytes(b"\1" + YAML)
    (out / "config" / "alias").write_bytes(b"\1a: &a [x, x]\nb: &b [*a, *a]\nbatch_size: *b\n")
    for job in sorted(pathlib.Path(__file__).parents[3].glob("jobs/*.cfg")):
        (out / "config" / job.stem).write_bytes(b"\0" + job.read_bytes())


def write_tables(out):
    (out / "tables").mkdir(parents=True)
    for reader, text in enumerate(TABLES):
        (out / "tables" / str(reader)).write_bytes(bytes([reader]) + text)
    (out / "tables" / "gzip").write_bytes(b"\3" + gzip.compress(TABLES[3], mtime=0))


def write_clip(out):
    (out / "clip").mkdir(parents=True)
    tokens = {"<|startoftext|>": 598, "<|endoftext|>": 599, "ab": 512, "a": 64, "b</w>": 321}
    seeds = [
        {"model_type": "clip", "projection_dim": 16, "text_config": {"hidden_size": 32, "eos_token_id": 2}, "vision_config_dict": {"patch_size": 16}},
        {"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}, "resample": 3, "do_resize": True, "image_std": [1, 2, 3]},
        tokens,
    ]
    for reader, seed in enumerate(seeds):
        (out / "clip" / str(reader)).write_bytes(bytes([reader]) + json.dumps(seed).encode())
    (out / "clip" / "3").write_bytes(b"\3#version: 0.2\na b\nab c</w>\n")
    (out / "clip" / "4").write_bytes(b"\4" + "It's  ABC's 12 Caf\u00e9 cafe\u0301, \u72d7!?".encode())


def write_tars(out):
    (out / "tars").mkdir(parents=True)
    members = {"a.jpg": b"x" * 600, "a.txt": b"A cat.\nTwo cats.\n", "b/\u732b.webp": b"y", "b/\u732b.json": b'{"caption": "x", "id": 7}'}
    for name, mode, form in ("gnu", "w", tarfile.GNU_FORMAT), ("pax", "w", tarfile.PAX_FORMAT), ("gzip", "w:gz", tarfile.PAX_FORMAT):
        with tarfile.open(out / "tars" / name, mode, format=form) as tar:
            for member, data in members.items():
                info = tarfile.TarInfo(member)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


def main():
    samples, out = map(pathlib.Path, sys.argv[1:3])
    write_texts(out)
    write_tables(out)
    write_clip(out)
    write_tars(out)
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
