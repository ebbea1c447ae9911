#!/usr/bin/env python3
"""Writes tests/golden/data/pictures/ and pictures.json: drawn files of every form that is read, and what Pillow makes of them.

Needs Pillow 13 and numpy (pip install pillow==13.0.0 numpy), and Debian's cjpeg (libjpeg-turbo-progs) for odd subsampling.
Pictures are formulas. Pillow writes the files, or the functions here where it does not write their kind; Pillow reads
them all, with and without EXIF's orientation. Usage: make_pillow_pictures.py [repository]
"""
import hashlib
import io
import json
import pathlib
import struct
import subprocess
import sys
import zlib

import numpy as np
import PIL
from PIL import Image, ImageOps, TiffImagePlugin

SIZES = [(1, 1), (5, 7), (8, 8), (17, 13), (33, 31)]    # width, height


def waves(width, height, channels=3, shift=0):
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
    values = 120 + 90 * np.sin((x + shift) / (5.0 + c)) * np.cos(y / 7.0) + ((x * 31 + y * 17 + c * 11) % 13)
    values[height // 3:height // 2, width // 4:width // 2] = np.array([220, 30, 40, 128])[:channels]
    return np.clip(values, 0, 255).astype(np.uint8)


def drawn(mode, width, height):
    if mode in ("RGB", "YCbCr", "RGBX"):
        return Image.fromarray(waves(width, height)).convert(mode)
    if mode in ("RGBA", "CMYK"):
        return Image.frombytes(mode, (width, height), waves(width, height, 4).tobytes())
    grey = waves(width, height, 1)[..., 0]
    if mode == "I;16":
        return Image.fromarray(grey.astype(np.uint16) * 3)
    if mode == "I":
        return Image.fromarray(grey.astype(np.int32) * 3 - 150)
    if mode == "F":
        return Image.fromarray(grey.astype(np.float32) * 1.7 - 20.3)
    if mode == "LA":
        return Image.frombytes("LA", (width, height), waves(width, height, 2).tobytes())
    if mode == "P":
        return Image.fromarray(waves(width, height)).quantize(40)
    return Image.fromarray(grey).convert(mode)


def saved(image, form, **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def segment_after(data, marker, inserted):
    at = data.index(marker)
    return data[:at] + inserted + data[at:]


def jpegs():
    for width, height in SIZES:
        for subsampling in 0, 1, 2:
            yield f"rgb_{subsampling}", saved(drawn("RGB", width, height), "JPEG", quality=85, subsampling=subsampling)
        yield "progressive", saved(drawn("RGB", width, height), "JPEG", quality=70, progressive=True)
        yield "grey", saved(drawn("L", width, height), "JPEG", quality=90)
        yield "cmyk", saved(drawn("CMYK", width, height), "JPEG", quality=90)
    image = drawn("RGB", 37, 29)
    plain = saved(image, "JPEG", quality=80)
    yield "restarts", saved(image, "JPEG", quality=80, restart_marker_blocks=2)
    yield "optimised", saved(image, "JPEG", quality=50, optimize=True)
    yield "stored_rgb", saved(image, "JPEG", quality=80, keep_rgb=True)
    scan = plain.index(b"\xff\xda") + 2
    last = scan + int.from_bytes(plain[scan:scan + 2], "big")
    for name, three in {"se_0": (0, 0, 0), "ss_1": (1, 63, 0), "al_1": (0, 63, 1)}.items():
        yield name, plain[:last - 3] + bytes(three) + plain[last:]
    yield "no_end_zeros", plain[:-2] + bytes(300)
    yield "end_and_more", plain + b"SEFH" + bytes(range(200))
    yield "zero_between", segment_after(plain, b"\xff\xc4", b"\xff\x00")
    yield "fill_between", segment_after(plain, b"\xff\xc4", b"\xff\xff\xff")
    yield "junk_between", segment_after(plain, b"\xff\xc4", b"junk")
    yield "junk_before_end", plain[:-2] + bytes(9) + plain[-2:]
    adobe = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"
    for transform in 0, 1, 2, 7:
        yield f"adobe_{transform}", segment_after(plain, b"\xff\xdb", adobe + bytes([transform]))
    yield "jfif_2", plain.replace(b"JFIF\0\1", b"JFIF\0\2")
    ppm = saved(image, "PPM")
    for sample in ("4x2,1x1,1x1", "2x4,1x1,1x1", "1x4,1x1,1x1", "4x1,1x1,1x1", "1x2,1x1,1x1", "3x1,1x1,1x1", "2x2,2x1,1x2",
                   "2x1,1x1,2x1", "2x1,2x1,2x1", "2x2,1x2,1x2", "3x2,1x1,1x1"):
        for kind in [], ["-progressive"]:
            run = subprocess.run(["cjpeg", "-quality", "80", "-sample", sample, *kind], input=ppm, capture_output=True, check=True)
            yield f"sample_{sample.replace(',', '_')}{''.join(kind).replace('-', '_')}", run.stdout
    yield "arithmetic", subprocess.run(["cjpeg", "-quality", "80", "-arithmetic"], input=ppm, capture_output=True, check=True).stdout
    yield "large", saved(drawn("RGB", 317, 211), "JPEG", quality=40)


def pngs():
    for width, height in SIZES:
        for mode in "1", "L", "LA", "P", "RGB", "RGBA", "I;16":
            yield mode.replace(";", "_"), saved(drawn(mode, width, height), "PNG")
    yield "palette_clear", saved(drawn("P", 21, 19), "PNG", transparency=2)
    yield "palette_alpha", saved(drawn("P", 21, 19), "PNG", transparency=bytes(range(40)))
    yield "rgb_clear", saved(drawn("RGB", 21, 19), "PNG", transparency=(220, 30, 40))
    yield "grey_clear", saved(drawn("L", 21, 19), "PNG", transparency=120)
    yield "animated", saved(drawn("RGB", 21, 19), "PNG", save_all=True, append_images=[drawn("RGB", 21, 19).rotate(90)])
    yield "large", saved(drawn("P", 160, 90), "PNG")


def webps():
    for width, height in SIZES:
        yield "lossy", saved(drawn("RGB", width, height), "WEBP", quality=60)
        yield "lossy_alpha", saved(drawn("RGBA", width, height), "WEBP", quality=60)
        yield "lossless", saved(drawn("RGB", width, height), "WEBP", lossless=True)
        yield "lossless_alpha", saved(drawn("RGBA", width, height), "WEBP", lossless=True, exact=True)
        yield "grey", saved(drawn("L", width, height), "WEBP", quality=90, method=0)
    frames = [Image.fromarray(waves(24, 18, 4, shift), "RGBA") for shift in (0, 5, 9)]
    for lossless in False, True:
        yield "animated", saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=lossless)
    yield "large", saved(drawn("RGB", 253, 141), "WEBP", quality=40)


def gif_by_hand(screen, place, frame, colours, clear=None, interlaced=False, local=False):
    """A frame at a place of a screen; pixels in codes of 8 bits and one, cleared before they would grow."""
    width, height = frame.size
    rows = list(range(height)) if not interlaced else [y for start, step in ((0, 8), (4, 8), (2, 4), (1, 2)) for y in range(start, height, step)]
    pixels = b"".join(frame.tobytes()[y * width:(y + 1) * width] for y in rows)
    codes = []
    for i, value in enumerate(pixels):
        codes += ([256] if i % 200 == 0 else []) + [value]
    bits = "".join(format(code, "09b")[::-1] for code in codes + [257])
    bits += "0" * (-len(bits) % 8)
    data = bytes(int(bits[i:i + 8][::-1], 2) for i in range(0, len(bits), 8))
    blocks = b"".join(bytes([len(data[i:i + 255])]) + data[i:i + 255] for i in range(0, len(data), 255)) + b"\0"
    size = (len(colours) // 3).bit_length() - 2
    control = b"" if clear is None else b"!\xf9\x04\x01\x00\x00" + bytes([clear]) + b"\0"
    return (b"GIF89a" + struct.pack("<HHBBB", *screen, 0 if local else 0x80 | size, 3, 0) + (b"" if local else colours) + control + b"," +
            struct.pack("<HHHHB", *place, width, height, (0x80 | size if local else 0) | (0x40 if interlaced else 0)) +
            (colours if local else b"") + b"\x08" + blocks + b";")


def gifs():
    for width, height in SIZES:
        for mode in "1", "L", "P", "RGB", "RGBA":
            yield mode, saved(drawn(mode, width, height), "GIF", interlace=0)
        yield "interlaced", saved(drawn("P", width, height), "GIF", interlace=1)
    yield "clear", saved(drawn("P", 21, 19), "GIF", transparency=4)
    yield "animated", saved(drawn("P", 21, 19), "GIF", save_all=True, append_images=[drawn("P", 21, 19).rotate(90)])
    frame = Image.fromarray(waves(20, 11, 1)[..., 0] % 64)
    colours = bytes((i * 7 + 5) % 256 for i in range(64 * 3))
    ramp = bytes(i // 3 for i in range(64 * 3))
    yield "frame_inside", gif_by_hand((30, 25), (4, 6), frame, colours)
    yield "frame_inside_clear", gif_by_hand((30, 25), (4, 6), frame, colours, clear=9)
    yield "frame_outside", gif_by_hand((16, 8), (4, 6), frame, colours)
    yield "hand_interlaced", gif_by_hand((20, 11), (0, 0), frame, colours, interlaced=True)
    yield "local_colours", gif_by_hand((20, 11), (0, 0), frame, colours, local=True)
    yield "short_colours", gif_by_hand((20, 11), (0, 0), frame, colours[:16 * 3])
    yield "short_ramp", gif_by_hand((20, 11), (0, 0), frame, ramp[:16 * 3])


def bmp_by_hand(width, height, bits, data, compression=0, palette=b"", masks=b"", old=False):
    if old:
        header = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(data), 0, 0, len(palette) // 4, 0)
    start = 14 + len(header) + len(masks) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + header + masks + palette + data


def bmps():
    for width, height in SIZES:
        for mode in "1", "L", "P", "RGB", "RGBA":
            yield mode, saved(drawn(mode, width, height), "BMP")
    width, height = 13, 9
    rgb = waves(width, height)
    palette = b"".join(bytes([i * 5 % 256, i * 11 % 256, i * 3 % 256, 0]) for i in range(256))
    indices = waves(width, height, 1)[..., 0]

    def rows(values, row_bytes):
        return b"".join(row + bytes(-len(row) % 4) for row in (bytes(v)[:row_bytes] for v in values))

    packed = [int(r) >> 3 << 10 | int(g) >> 3 << 5 | int(b) >> 3 for r, g, b in rgb.reshape(-1, 3)]
    words = rows([struct.pack(f"<{width}H", *packed[y * width:(y + 1) * width]) for y in range(height)], 2 * width)
    yield "bits_16", bmp_by_hand(width, height, 16, words)
    yield "bits_565", bmp_by_hand(width, height, 16, words, 3, masks=struct.pack("<III", 0xF800, 0x7E0, 0x1F))
    yield "bits_555", bmp_by_hand(width, height, 16, words, 3, masks=struct.pack("<III", 0x7C00, 0x3E0, 0x1F))
    four = np.dstack([rgb, np.full((height, width), 77, np.uint8)])
    for name, masks in {"bgrx": (0xFF0000, 0xFF00, 0xFF), "xbgr": (0xFF000000, 0xFF0000, 0xFF00)}.items():
        yield name, bmp_by_hand(width, height, 32, four.tobytes(), 3, masks=struct.pack("<III", *masks))
    yield "bits_4", bmp_by_hand(width, height, 4, rows([bytes(v % 256 for v in range(y, y + 7)) for y in range(height)], 7), palette=palette[:64])
    yield "top_down", bmp_by_hand(width, -height, 24, rows([rgb[y].tobytes() for y in range(height)], 3 * width))
    yield "old", bmp_by_hand(width, height, 24, rows([rgb[y].tobytes() for y in range(height)], 3 * width), old=True)
    runs = b"".join(bytes([5, int(indices[y, 0]), 0, 8]) + indices[y, 5:].tobytes() + b"\0\0" for y in range(height))
    yield "runs_8", bmp_by_hand(width, height, 8, runs + b"\0\1", 1, palette)
    jump = bytes([3, 9, 0, 2, 2, 1]) + bytes([8, 200, 0, 0]) + runs[:16 * 7] + b"\0\1"
    yield "runs_8_jump", bmp_by_hand(width, height, 8, jump, 1, palette)
    halves = b"".join(bytes([7, (y * 16 + 5) % 256, 0, 6, 0x12, 0x34, 0x56, 0, 0, 0]) for y in range(height))
    yield "runs_4", bmp_by_hand(width, height, 4, halves + b"\0\1", 2, palette[:64])


def tiff_by_hand(order, width, height, photometric, bits, samples, data, entries=(), pieces=None):
    """data: strips or tiles in order; entries: further (tag, type, values)."""
    sizes = {1: 1, 3: 2, 4: 4}
    tags = [(256, 3, [width]), (257, 3, [height]), (258, 3, [bits] * samples), (259, 3, [1]), (262, 3, [photometric]), (277, 3, [samples]), *entries]
    offsets, at = [], 8
    for piece in data:
        offsets.append(at)
        at += len(piece) + len(piece) % 2
    tags += [(324, 4, offsets), (325, 4, [len(p) for p in data])] if pieces == "tiles" else [(273, 4, offsets), (279, 4, [len(p) for p in data])]
    body, table = b"".join(p + bytes(len(p) % 2) for p in data), b""
    extra_at, extra = 8 + len(body) + 2 + 12 * len(tags) + 4, b""
    for tag, kind, values in sorted(tags):
        packed = b"".join(struct.pack(order + {1: "B", 3: "H", 4: "I"}[kind], v) for v in values)
        if len(packed) > 4:
            content = struct.pack(order + "I", extra_at + len(extra))
            extra += packed + bytes(len(packed) % 2)
        else:
            content = packed.ljust(4, b"\0")
        table += struct.pack(order + "HHI", tag, kind, len(values)) + content
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8 + len(body))
    return head + body + struct.pack(order + "H", len(tags)) + table + bytes(4) + extra


def tiffs():
    for width, height in SIZES:
        for mode in "1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F":
            yield mode.replace(";", "_"), saved(drawn(mode, width, height), "TIFF")
    for compression in "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg":
        for mode in "L", "RGB", "CMYK", "YCbCr":
            yield f"{compression}_{mode}", saved(drawn(mode, 33, 31), "TIFF", compression=compression)
    for compression in "tiff_lzw", "packbits":
        for mode in "1", "P", "LA", "RGBA", "I;16", "F":
            yield f"{compression}_{mode.replace(';', '_')}", saved(drawn(mode, 21, 35), "TIFF", compression=compression)
    for compression in "group3", "group4", "tiff_ccitt":
        yield compression, saved(drawn("1", 40, 30), "TIFF", compression=compression)
    yield "big", saved(drawn("RGB", 9, 7), "TIFF", big_tiff=True)
    yield "pages", saved(drawn("RGB", 9, 7), "TIFF", save_all=True, append_images=[drawn("L", 12, 5)])
    yield "large", saved(drawn("L", 130, 70), "TIFF", compression="tiff_adobe_deflate")
    for order in "<", ">":
        name = "little" if order == "<" else "big_end"
        rgb, wide = waves(19, 11), waves(19, 11).astype(np.uint16) * 200
        wide4 = waves(19, 11, 4).astype(np.uint16) * 200
        order16 = order + "u2"
        yield f"{name}_rgb_16", tiff_by_hand(order, 19, 11, 2, 16, 3, [wide.astype(order16).tobytes()])
        yield f"{name}_rgba_16", tiff_by_hand(order, 19, 11, 2, 16, 4, [wide4.astype(order16).tobytes()], [(338, 3, [2])])
        yield f"{name}_cmyk_16", tiff_by_hand(order, 19, 11, 5, 16, 4, [wide4.astype(order16).tobytes()])
        yield f"{name}_grey_16", tiff_by_hand(order, 19, 11, 1, 16, 1, [wide[..., 0].astype(order16).tobytes()])
        yield f"{name}_grey_16_signed", tiff_by_hand(order, 19, 11, 1, 16, 1, [wide[..., 0].astype(order16).tobytes()], [(339, 3, [2])])
        yield f"{name}_planes", tiff_by_hand(order, 19, 11, 2, 8, 3, [rgb[..., c].tobytes() for c in range(3)], [(284, 3, [2]), (278, 3, [11])])
        yield f"{name}_strips", tiff_by_hand(order, 19, 11, 2, 8, 3, [rgb[y:y + 4].tobytes() for y in (0, 4, 8)], [(278, 3, [4])])
        padded = np.zeros((16, 32, 3), np.uint8)
        padded[:11, :19] = rgb
        tiles = [padded[:, x:x + 16].tobytes() for x in (0, 16)]
        yield f"{name}_tiles", tiff_by_hand(order, 19, 11, 2, 8, 3, tiles, [(322, 3, [16]), (323, 3, [16])], "tiles")
        rgba = waves(19, 11, 4)
        for extra in 0, 1, 2:
            yield f"{name}_extra_{extra}", tiff_by_hand(order, 19, 11, 2, 8, 4, [rgba.tobytes()], [(338, 3, [extra])])
    for bits in 1, 2, 4:
        data = np.packbits(waves(19, 11, 1)[..., 0][:, :(19 * bits + 7) // 8] > 110, axis=1) if bits == 8 else waves((19 * bits + 7) // 8, 11, 1)[..., 0]
        for photometric in 0, 1:
            yield f"grey_{bits}_{photometric}", tiff_by_hand("<", 19, 11, photometric, bits, 1, [data.tobytes()])
        colours = [(i * 4099) % 65536 for i in range(3 << bits)]
        yield f"palette_{bits}", tiff_by_hand("<", 19, 11, 3, bits, 1, [data.tobytes()], [(320, 3, colours)])
    yield "white_is_0", tiff_by_hand("<", 19, 11, 0, 8, 1, [waves(19, 11, 1).tobytes()])


def oriented():
    image = drawn("RGB", 11, 6)
    exif = Image.Exif()
    for orientation in range(1, 9):
        exif[0x0112] = orientation
        yield f"jpg_{orientation}.jpg", saved(image, "JPEG", quality=90, exif=exif)
        yield f"tiff_{orientation}.tiff", saved(image, "TIFF", tiffinfo={274: orientation})
        if orientation in (3, 6, 8):
            yield f"png_{orientation}.png", saved(image, "PNG", exif=exif)
            yield f"webp_{orientation}.webp", saved(image, "WEBP", quality=90, exif=exif)
    big_end = b"Exif\0\0MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
    yield "jpg_big_end.jpg", saved(image, "JPEG", quality=90, exif=big_end)
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="8"/></x:xmpmeta>'
    yield "jpg_xmp.jpg", saved(image, "JPEG", quality=90, xmp=xmp)
    yield "webp_xmp.webp", saved(image, "WEBP", quality=90, xmp=xmp)


def row_of(data):
    plain = Image.open(io.BytesIO(data)).convert("RGB")
    row = {"width": plain.width, "height": plain.height, "sha256": hashlib.sha256(plain.tobytes()).hexdigest()}
    turned = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    if turned.size != plain.size or turned.tobytes() != plain.tobytes():
        row["turned"] = {"width": turned.width, "height": turned.height, "sha256": hashlib.sha256(turned.tobytes()).hexdigest()}
    return row


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2])
    data = root / "tests/golden/data"
    folder = data / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    table = {}
    for form, files in {"jpg": jpegs, "png": pngs, "webp": webps, "gif": gifs, "bmp": bmps, "tiff": tiffs, "": oriented}.items():
        counts = {}
        for name, content in files():
            if form:
                counts[name] = counts.get(name, 0) + 1
                name = f"{name}_{counts[name]}.{form}" if counts[name] > 1 else f"{name}.{form}"
            try:
                table[name] = row_of(content)
            except Exception as problem:
                print(f"Pillow refuses {name}: {problem}")
                continue
            (folder / name).write_bytes(content)
    (data / "pictures.json").write_text(json.dumps({"pillow": PIL.__version__, "files": table}, indent=0) + "\n")
    print(len(table), "files")


main()
