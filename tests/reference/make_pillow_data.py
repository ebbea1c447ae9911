#!/usr/bin/env python3
"""Writes tests/golden/data/pillow.json and the pictures in tests/golden/data/{jpeg,png}: what Pillow makes of drawn pictures.

Needs Pillow 13 and numpy (pip install pillow==13.0.0 numpy). The pictures are formulas, so that the tests draw the same
ones; the files are written by Pillow, or here where it does not write their kind, and read by Pillow. Usage: make_pillow_data.py [repository]
"""
import hashlib
import json
import pathlib
import struct
import sys
import zlib

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


def png_file(bit_depth, colour_type, rows, width, chunks=(), interlaced=False):
    """A PNG from rows of unpacked samples (lists of whole numbers, channels side by side)."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour_type]

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def packed(samples):
        if bit_depth == 16:
            return struct.pack(f">{len(samples)}H", *samples)
        bits = "".join(format(int(s), f"0{bit_depth}b") for s in samples)
        bits += "0" * (-len(bits) % 8)
        return bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))

    def scanlines(x0, y0, dx, dy):
        for row in rows[y0::dy]:
            columns = range(x0, width, dx)
            if columns:
                yield b"\0" + packed([row[x * channels + c] for x in columns for c in range(channels)])

    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    data = b"".join(line for p in (passes if interlaced else [(0, 0, 1, 1)]) for line in scanlines(*p))
    header = struct.pack(">IIBBBBB", width, len(rows), bit_depth, colour_type, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunk(*c) for c in chunks) +
            chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b""))


def pngs(folder):
    folder.mkdir(parents=True, exist_ok=True)
    rgb, rgba = Image.fromarray(picture(23, 31)), Image.fromarray(picture(19, 21, 4), "RGBA")
    grey = Image.fromarray(picture(17, 26, 1)[..., 0])
    by_pillow = {
        "colour": (rgb, {}), "alpha": (rgba, {}), "grey": (grey, {}), "grey_alpha": (rgba.convert("LA"), {}),
        "black_white": (grey.convert("1"), {}), "palette": (rgb.quantize(200), {}), "palette_16": (rgb.quantize(13), {"bits": 4}),
        "palette_clear": (rgb.quantize(90), {"transparency": 3}), "colour_clear": (rgb, {"transparency": (255, 255, 255)}),
        "grey_16": (Image.fromarray(picture(17, 26, 1)[..., 0].astype(np.uint16) * 3), {}),
    }
    for name, (image, options) in by_pillow.items():
        image.save(folder / f"{name}.png", "PNG", **options)

    def rows(height, width, channels, factor=1, limit=65535):
        return [[int(v) * factor % (limit + 1) for v in row.ravel()] for row in picture(height, width, channels)]

    gamma = (b"gAMA", struct.pack(">I", 100000))
    colours = (b"PLTE", bytes(range(3, 3 + 9)))
    by_hand = {
        "colour_16": (16, 2, rows(9, 13, 3, 257 - 6), 13), "alpha_16": (16, 6, rows(9, 13, 4, 251), 13),
        "grey_alpha_16": (16, 4, rows(9, 13, 2, 251), 13), "grey_2": (2, 0, rows(9, 13, 1, 1, 3), 13),
        "grey_4": (4, 0, rows(9, 13, 1, 1, 15), 13, [gamma]), "palette_2_short": (2, 3, rows(9, 13, 1, 1, 3), 13, [colours]),
        "colour_interlaced": (8, 2, rows(21, 19, 3), 19, [gamma], True), "grey_1_interlaced": (1, 0, rows(21, 19, 1, 1, 1), 19, [], True),
        "palette_interlaced": (4, 3, rows(21, 19, 1, 1, 2), 19, [colours], True), "alpha_16_interlaced": (16, 6, rows(6, 9, 4, 251), 9, [], True),
    }
    for name, arguments in by_hand.items():
        (folder / f"{name}.png").write_bytes(png_file(*arguments))
    table = {}
    for path in sorted(folder.glob("*.png")):
        read = Image.open(path).convert("RGB")
        table[path.name] = {"height": read.height, "width": read.width, "sha256": sha256(read)}
    return table


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2])
    data = root / "tests/golden/data"
    table = {"pillow": PIL.__version__, "resizes": resizes(), "jpegs": jpegs(data / "jpeg"),
             "pngs": pngs(data / "png")}
    (data / "pillow.json").write_text(json.dumps(table, indent=1) + "\n")


main()
