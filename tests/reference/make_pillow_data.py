#!/usr/bin/env python3
"""Writes tests/golden/data/pillow.json and tests/golden/data/jpeg/*.jpg: what Pillow makes of drawn pictures.

Needs Pillow 13 and numpy (pip install pillow==13.0.0 numpy). The pictures are formulas, so that the tests draw the same
ones; the JPEG files are written by Pillow and read back by it. Usage: make_pillow_data.py [repository]
"""
import hashlib
import json
import pathlib
import sys

import numpy as np
import PIL
from PIL import Image


def picture(height, width, channels=3):
    """Waves with a hard edge and some noise; tests/unit/image/pictures.h draws the same."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
    noise = ((y * 73 + x * 151 + c * 199) ^ (x * y * 7 + 13 * c)) & 63
    wave = (x * (3 + c) + y * (5 - c)) % 384
    wave = np.where(wave > 191, 383 - wave, wave)
    edge = np.where((x + 2 * y) % 97 < 11, 255, 0)
    return np.where(edge > 0, edge, wave + noise).astype(np.uint8)


def sha256(image):
    return hashlib.sha256(image.tobytes()).hexdigest()


def resizes():
    cases = [  # height, width, (top, left, box height, box width), output height, output width
        (48, 64, None, 32, 32), (64, 48, None, 96, 96), (33, 17, None, 7, 50), (17, 33, None, 50, 7), (1, 1, None, 5, 3),
        (3, 200, None, 16, 16), (200, 3, None, 16, 16), (100, 60, None, 60, 60), (61, 61, None, 61, 30), (61, 61, None, 30, 61),
        (40, 40, None, 40, 40), (240, 320, None, 384, 384), (320, 240, None, 96, 96), (500, 375, None, 384, 384),
        (90, 120, (10, 20, 50, 70), 32, 32), (90, 120, (0, 0, 90, 1), 24, 24), (90, 120, (89, 119, 1, 1), 8, 8),
        (90, 120, (5, 7, 32, 32), 32, 32), (90, 120, (5, 7, 32, 64), 32, 32), (90, 120, (30, 50, 60, 70), 128, 96),
    ]
    rows = []
    for height, width, box, out_height, out_width in cases:
        top, left, box_height, box_width = box or (0, 0, height, width)
        image = Image.fromarray(picture(height, width)).crop((left, top, left + box_width, top + box_height))
        image = image.resize((out_width, out_height), Image.Resampling.BICUBIC)
        rows.append({"height": height, "width": width, "box": [top, left, box_height, box_width],
                     "out": [out_height, out_width], "sha256": sha256(image)})
    return rows


def jpegs(folder):
    folder.mkdir(parents=True, exist_ok=True)
    kinds = {
        "colour_420": (Image.fromarray(picture(37, 53)), {"quality": 90, "subsampling": 2}),
        "colour_444": (Image.fromarray(picture(16, 16)), {"quality": 95, "subsampling": 0}),
        "progressive": (Image.fromarray(picture(40, 24)), {"quality": 75, "progressive": True}),
        "restarts": (Image.fromarray(picture(24, 40)), {"quality": 60, "restart_marker_blocks": 2}),
        "grey": (Image.fromarray(picture(31, 29, 1)[..., 0]), {"quality": 85}),
        "cmyk": (Image.fromarray(picture(20, 30, 4), "CMYK"), {"quality": 90}),
        "stored_rgb": (Image.fromarray(picture(18, 22)), {"quality": 90, "keep_rgb": True}),
    }
    rows = {}
    for name, (image, options) in kinds.items():
        path = folder / f"{name}.jpg"
        image.save(path, "JPEG", **options)
        read = Image.open(path).convert("RGB")
        rows[path.name] = {"height": read.height, "width": read.width, "sha256": sha256(read)}
    return rows


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2])
    data = root / "tests/golden/data"
    table = {"pillow": PIL.__version__, "resizes": resizes(), "jpegs": jpegs(data / "jpeg")}
    (data / "pillow.json").write_text(json.dumps(table, indent=1) + "\n")


main()
