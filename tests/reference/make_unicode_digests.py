#!/usr/bin/env python3
"""Prints what tests/unit/text/unicode_test.cpp expects: CRC-32 of what Python decides about every code point, and a word with a
character that came later. Needs Python 3.11, whose tables are those of Unicode 14.0."""
import unicodedata
import zlib


def kind(c):
    category = unicodedata.category(c)
    if category[0] in "CP":
        return category[0]
    if category in ("Zs", "Mn"):
        return category
    return "word" if category[0] == "L" or category == "Nd" else "other"


def fold(c):
    if kind(c) == "C":
        return ""
    return "".join(x for x in unicodedata.normalize("NFD", c.lower()) if unicodedata.category(x) != "Mn")


def digest(of):
    points = (chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000)
    return zlib.crc32("".join(of(c) + "\n" for c in points).encode())


assert unicodedata.unidata_version == "14.0.0", unicodedata.unidata_version
print(f"kind {digest(kind):#010x}")
print(f"space {digest(lambda c: str(int(c.isspace()))):#010x}")
print(f"lower case {digest(str.lower):#010x}")
print(f"fold {digest(fold):#010x}")
print(ascii("\u0391\u03a3\U0001e4ec\u0391 \uffff\u00c4".lower()))
