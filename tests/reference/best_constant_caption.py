#!/usr/bin/env python3
"""Best BLEU-4 that one constant caption reaches on a drawn data set, and what a correct caption reaches.

Called by env/demo.sh; run it by hand when make_sample's wordings change (standard library only):
    tests/reference/best_constant_caption.py SAMPLE_DIR [val|test]
Every different training caption is tried as the constant; correct captions are the plainest wording of each picture
(the shortest of the five that the most common wordings start like).
"""
import collections
import json
import math
import sys


def tokens(text):
    return text.lower().replace(".", " ").split()


def ngrams(words):
    return [collections.Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1)) for n in range(1, 5)]


def prepare(captions):
    """Largest count of each n-gram over the references, and their lengths."""
    most = [collections.Counter() for _ in range(4)]
    lengths = []
    for caption in captions:
        words = tokens(caption)
        lengths.append(len(words))
        for n, counts in enumerate(ngrams(words)):
            most[n] |= counts
    return most, lengths


def bleu4(hypotheses, references):
    """hypotheses: (ngrams, length) each; corpus level, closest reference length."""
    correct, guess, test_length, reference_length = [0] * 4, [0] * 4, 0, 0
    for (counts, length), (most, lengths) in zip(hypotheses, references):
        test_length += length
        reference_length += min(lengths, key=lambda r: (abs(r - length), r))
        for n in range(4):
            guess[n] += max(length - n, 0)
            correct[n] += sum(min(c, most[n][g]) for g, c in counts[n].items() if g in most[n])
    product = 1.0
    for n in range(4):
        product *= (correct[n] + 1e-15) / (guess[n] + 1e-9)
    ratio = (test_length + 1e-15) / (reference_length + 1e-9)
    return product**0.25 * (math.exp(1 - 1 / ratio) if ratio < 1 else 1)


def main():
    folder, split = sys.argv[1], (sys.argv + ["val"])[2]
    load = lambda name: json.load(open(f"{folder}/karpathy/coco_karpathy_{name}.json"))
    train, rows = load("train"), load(split)
    references = [prepare(row["caption"]) for row in rows]
    prepared = lambda text: (ngrams(tokens(text)), len(tokens(text)))

    constants = sorted({" ".join(tokens(row["caption"])) for row in train})
    best, caption = max((bleu4([prepared(text)] * len(rows), references), text) for text in constants)
    # a caption is judged by the other four: what another person would reach
    shortest = [min(row["caption"], key=lambda c: (len(tokens(c)), c)) for row in rows]
    others = [prepare([c for c in row["caption"] if c != s]) for row, s in zip(rows, shortest)]
    print(f"{len(rows)} pictures of {split}, {len(constants)} different training captions")
    print(f"best constant caption: Bleu_4 {best:.4f}  '{caption}'")
    print(f"a correct caption, against all five: Bleu_4 {bleu4([prepared(s) for s in shortest], references):.4f}")
    print(f"a correct caption, against the other four: Bleu_4 {bleu4([prepared(s) for s in shortest], others):.4f}")


if __name__ == "__main__":
    main()
