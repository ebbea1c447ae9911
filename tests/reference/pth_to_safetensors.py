#!/usr/bin/env python3
"""Turns the model part of a PyTorch zip checkpoint into safetensors, with Python's standard library alone.

A second reader, which tests/unit/weights/weight_file_test.cpp compares ours with. Nothing in the pickle is executed: every class but
tensors, storages and containers becomes an opaque value.

    pth_to_safetensors.py checkpoint.pth out.safetensors
"""
import collections
import json
import pickle
import struct
import sys
import zipfile

ITEM_SIZES = {
    "FloatStorage": (4, "F32"),
    "LongStorage": (8, "I64"),
    "HalfStorage": (2, "F16"),
    "BFloat16Storage": (2, "BF16"),
}


class Opaque:
    def __init__(self, *args, **kwargs):
        pass

    def __setstate__(self, state):
        pass

    def __setitem__(self, key, value):
        pass

    def append(self, value):
        pass

    def extend(self, values):
        pass


def rebuild_tensor(storage, offset, shape, stride, *_):
    return storage, offset, tuple(shape), tuple(stride)


class Reader(pickle.Unpickler):
    def find_class(self, module, name):
        if name == "OrderedDict":
            return collections.OrderedDict
        if name == "_rebuild_tensor_v2":
            return rebuild_tensor
        if name.endswith("Storage") and module.startswith("torch"):
            return name
        return Opaque

    def persistent_load(self, saved):
        return saved[1], saved[2]


def contiguous(shape):
    strides, step = [], 1
    for extent in reversed(shape):
        strides.insert(0, step)
        step *= extent
    return tuple(strides)


def main():
    source, target = sys.argv[1:3]
    archive = zipfile.ZipFile(source)
    root = next(n for n in archive.namelist() if n.endswith("/data.pkl"))[: -len("data.pkl")]
    checkpoint = Reader(archive.open(root + "data.pkl")).load()
    model = checkpoint.get("model", checkpoint)
    header, pieces, at = {}, [], 0
    for name, ((kind, key), offset, shape, stride) in sorted(model.items()):
        if stride != contiguous(shape):
            sys.exit(f"{source}: {name} is not contiguous")
        size, dtype = ITEM_SIZES[kind]
        count = 1
        for extent in shape:
            count *= extent
        data = archive.read(f"{root}data/{key}")[offset * size : (offset + count) * size]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + len(data)]}
        pieces.append(data)
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(target, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text + b"".join(pieces))


main()
