#!/usr/bin/env python3
"""Writes tests/golden/data/python_text.json: odd strings, what Python's own text functions make of them, and the ids of a
BERT tokenizer written here from its description with Python's unicodedata (independent of the C++ one).

Needs nothing but Python 3.11 or later. Usage: make_text_table.py [repository]
"""
import json
import pathlib
import random
import re
import sys
import unicodedata

SPECIAL = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103, "[DEC]": 30522, "[ENC]": 30523}
CJK = [(0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
       (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)]


def pre_caption(text, max_words=30):
    text = re.sub(r"([.!\"()*#:;~])", " ", text.lower())
    text = re.sub(r"\s{2,}", " ", text).rstrip("\n").strip(" ")
    return " ".join(text.split(" ")[:max_words])


def clean(text):
    out = []
    for c in text:
        category = unicodedata.category(c)
        if c in "\t\n\r" or category == "Zs":
            out.append(" ")
        elif c in "\0\ufffd" or category[0] == "C":
            continue
        elif any(low <= ord(c) <= high for low, high in CJK):
            out.append(f" {c} ")
        else:
            out.append(c)
    return "".join(out)


def is_punctuation(c):
    code = ord(c)
    if code < 128:
        return 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return unicodedata.category(c)[0] == "P"


def words(text):
    for word in clean(text).split():
        word = "".join(c for c in unicodedata.normalize("NFD", word.lower()) if unicodedata.category(c) != "Mn")
        yield from "".join(f" {c} " if is_punctuation(c) else c for c in word).split()


def pieces(word, vocabulary):
    if len(word) > 100:
        return [SPECIAL["[UNK]"]]
    ids, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):
            piece = ("##" if start else "") + word[start:end]
            if piece in vocabulary:
                ids.append(vocabulary[piece])
                start = end
                break
        else:
            return [SPECIAL["[UNK]"]]
    return ids


def encode(text, vocabulary, most=40):
    ids = [SPECIAL["[CLS]"]]
    for part in re.split("(" + "|".join(map(re.escape, SPECIAL)) + ")", text):
        ids += [SPECIAL[part]] if part in SPECIAL else [i for w in words(part) for i in pieces(w, vocabulary)]
    return ids[: most - 1] + [SPECIAL["[SEP]"]]


def odd_strings():
    fixed = [
        "ΟΔΥΣΣΕΥΣ", "ΟΔΟΣ ΣΑΣ Σ", "Σ", "ΑΣ.", "ΑΣ.Β", "Σ'ΑΣ'", "ΑΣ\u0301 Β", "ΑΣ\u00adΒ", "İSTANBUL Iİ", "ẞ ß ŐŰ", "ǅ ǆ Ǆ", "ﬃ ﬁ",
        "Ω Å K", "ᾼ ῼ", "Ԁԁ ᏸ Ꭰ", "𐐀𐐨 𝐀", "a\u001cb \u001c\u001d c", "a\u0085b\u0085\u0085c", "a\u2028\u2029b", "a\u3000\u3000b\u3000c",
        "a\u00a0b \u00a0c", "\t\ta\t b", "\u200ba\u200b", "x\u180ey", "a\ufeffb", "[SEP] a [MASK]b[DEC]", "[sep][ MASK ][PAD", "a[UNK]b[ENC]",
        "é́́ ñ ü", "가각 ㄱ", "ガギ カ゚", "日本語と漢字", "𠀀x𪜀", "“quotes” ‘single’ —dash… «x»", "½ ¼ ² ₂ ① Ⅳ", "€5 £6 ¢7 ¥8",
        "naïve café Zürich", "ПРИВЕТ мир", "שלום עולם", "مرحبا", "हिन्दी", "ไทย", "a" * 101, "b" * 100, "\u0301" * 5, "\ue000x\U000f0000y",
        "x\u0378y", "~!a...b;:(c)#*\"d\"", " ".join(["w"] * 35), " . ".join("abc"), "\n\n a \n", "a\n", "\ufffd\0",
    ]
    random.seed(20140301)
    pools = [range(0x20, 0x7F), range(0xA0, 0x250), range(0x370, 0x530), range(0x1E00, 0x2000), range(0x2000, 0x2070),
             range(0x2100, 0x2190), range(0x3000, 0x3100), range(0x0300, 0x0370), range(0xFB00, 0xFB50), range(0, 0x20),
             range(0x4E00, 0x4E40), range(0xAC00, 0xAC40), range(0x10400, 0x10450), range(0x1F600, 0x1F610)]
    drawn = []
    for _ in range(110):
        chosen = [random.choice(pools) for _ in range(3)] + [range(0x41, 0x7B), range(0x20, 0x21)]
        drawn.append("".join(chr(random.choice(random.choice(chosen))) for _ in range(random.randrange(1, 24))))
    # characters that this Python's Unicode does not know yet would age
    return fixed + [s for s in drawn if all(unicodedata.category(c) != "Cn" for c in s)]


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2])
    lines = (root / "data_prep/bert-base-uncased-vocab.txt").read_text(encoding="utf-8").split("\n")
    vocabulary = {word: i for i, word in enumerate(lines) if word}
    rows = [{"text": s, "lower": s.lower(), "pre_caption": pre_caption(s), "ids": encode(s, vocabulary)} for s in odd_strings()]
    table = {"unicode": unicodedata.unidata_version, "rows": rows}
    path = root / "tests/golden/data/python_text.json"
    path.write_text(json.dumps(table, separators=(",", ":")).replace('{"text"', '\n{"text"') + "\n")


main()
