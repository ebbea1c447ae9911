#!/usr/bin/env python3
"""Small files as torch.save writes them in its several forms, and what is in them.

    make_torch_samples.py tests/unit/weights/data

Needs PyTorch 2.11 and numpy. Writes *.pth and torch_samples.json: by file and tensor its dtype (as safetensors calls it),
shape and values in row-major order.
"""
import argparse
import collections
import datetime
import json
import pathlib
import sys
import zipfile

import numpy
import torch

DTYPES = {
    torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL", torch.uint16: "U16",
}


def values(count, dtype=torch.float32):
    return (torch.arange(count, dtype=torch.float64) * 0.37 - 1.25).to(dtype)


def every_dtype():
    tensors = {name: values(7, dtype) for dtype, name in DTYPES.items()}
    tensors["scalar"] = torch.tensor(2.5)
    tensors["empty"] = torch.zeros(0, 3)
    tensors["extremes"] = torch.tensor([65504.0, -6e-8, 0.0, -0.0], dtype=torch.float16)
    return {"model": tensors}


def strided():
    base = values(60)
    grid = base.reshape(5, 12)
    return {
        "model": collections.OrderedDict(
            transposed=values(6).reshape(2, 3).t(),
            expanded=values(3).reshape(3, 1).expand(3, 4),
            permuted=values(24).reshape(2, 3, 4).permute(2, 0, 1),
            shared_whole=base,
            shared_rows=grid[1:3],
            shared_columns=grid[:, 2:5],
            shared_steps=base[3::7],
            last_element=base[59:],
            row_of_one=values(8).reshape(4, 2)[2:3],
        )
    }


def parameters():
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    with torch.no_grad():
        for tensor in module.state_dict().values():
            tensor.copy_(values(tensor.numel(), tensor.dtype).reshape(tensor.shape))
    tensors = module.state_dict()
    tensors["parameter"] = torch.nn.Parameter(values(4))
    tensors["not a tensor"] = 3
    tensors["half view"] = torch.nn.Parameter(values(6, torch.float16).reshape(2, 3).t())
    return tensors


def with_baggage():
    weight = torch.nn.Parameter(values(5))
    optimizer = torch.optim.AdamW([weight], lr=1e-3)
    weight.square().sum().backward()
    optimizer.step()
    return {
        "optimizer": optimizer.state_dict(),
        "args": argparse.Namespace(lr=1e-3, output=pathlib.PurePosixPath("out")),
        "numpy": {"scalar": numpy.float64(1.5), "array": numpy.arange(3), "integer": numpy.int64(7)},
        "plain": [None, True, 2**70, -3, 1.5, b"bytes", "t\u00e9xt", {1, 2}, frozenset([3]), (1,), bytearray(b"x"), 1 + 2j],
        "torch": [torch.float16, torch.device("cpu"), torch.Size([2, 3]), torch.strided],
        "counts": collections.Counter("aab"),
        "default": collections.defaultdict(list, {"a": [1]}),
        "when": datetime.datetime(2024, 1, 2),
        "sparse": torch.eye(3).to_sparse(),
        "state_dict": {"weight": values(5), "bias": values(2, torch.bfloat16)},
    }


def main():
    folder = pathlib.Path(sys.argv[1])
    contents = {}

    def save(name, content, expected, **options):
        torch.save(content, folder / name, **options)
        contents[name] = {
            key: {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "values": tensor.double().flatten().tolist()}
            for key, tensor in expected.items() if isinstance(tensor, torch.Tensor)
        }

    save("every_dtype.pth", every_dtype(), every_dtype()["model"])
    save("strided.pth", strided(), strided()["model"])
    save("parameters.pth", parameters(), parameters())
    for protocol in 3, 4, 5:
        save(f"protocol{protocol}.pth", parameters(), parameters(), pickle_protocol=protocol)
    for protocol in 2, 4:
        save(f"baggage{protocol}.pth", with_baggage(), with_baggage()["state_dict"], pickle_protocol=protocol)

    with zipfile.ZipFile(folder / "every_dtype.pth") as stored, zipfile.ZipFile(
            folder / "deflated.pth", "w", zipfile.ZIP_DEFLATED) as deflated:
        for name in stored.namelist():
            deflated.writestr(zipfile.ZipInfo(name), stored.read(name), zipfile.ZIP_DEFLATED)
    contents["deflated.pth"] = contents["every_dtype.pth"]

    # what is refused, as PyTorch writes it
    torch.save(torch.nn.Linear(2, 1), folder / "whole_module.pth")
    torch.save({"model": {"weight": values(3)}}, folder / "old_form.pth", _use_new_zipfile_serialization=False)
    torch.jit.script(torch.nn.Linear(2, 1)).save(str(folder / "torchscript.pth"))
    text = json.dumps(contents, indent=0, sort_keys=True)
    (folder / "torch_samples.json").write_text(text + "\n")


main()
