#!/usr/bin/env python3
"""Writes tests/golden/data/cider_rewards.json: drawn captions and what CIDEr-D gives them with the end token as a word,
by the document frequencies of their own collection and by those of another ("elsewhere"), computed here from the formula (Vedantam et al. 2015, section 5, with the COCO evaluation's choices: sigma 6, lengths
counted in bigrams, ten times the mean) with dictionaries of word tuples, independent of the C++ one.

Needs nothing but Python 3. Usage: make_cider_rewards.py [repository]
"""
import collections
import json
import math
import pathlib
import random
import sys

END = "<end>"
WORDS = ("a a a the two red blue small dog cat man woman street table car with on near of and riding holding sits "
         "stands plate pizza surfboard wave").split()
UNSEEN = "zebra quilt gondola".split()


def grams(words):
    return collections.Counter(tuple(words[i:i + n]) for n in range(1, 5) for i in range(len(words) - n + 1))


def weighted(words, rarity):
    return {gram: count * rarity(gram) for gram, count in grams(words).items()}


def norm(vector, n):
    return math.sqrt(math.fsum(value * value for gram, value in vector.items() if len(gram) == n))


def cider_d(hypothesis, references, rarity):
    total = 0.0
    own = weighted(hypothesis, rarity)
    for reference in references:
        other = weighted(reference, rarity)
        difference = max(len(hypothesis) - 1, 0) - max(len(reference) - 1, 0)
        penalty = math.exp(-difference ** 2 / (2 * 6.0 ** 2))
        for n in range(1, 5):
            product = math.fsum(min(value, other[gram]) * other[gram]
                                for gram, value in own.items() if len(gram) == n and gram in other)
            size = norm(own, n) * norm(other, n)
            total += penalty * (product / size if size else product) / 4
    return 10 * total / len(references)


def rarities(images):
    frequency = collections.Counter()
    for references in images:
        frequency.update(set().union(*(grams(words + [END]) for words in references)))
    return lambda gram: math.log(len(images)) - math.log(max(1, frequency[gram]))


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2])
    draw = random.Random(18)
    caption = lambda least, most: [draw.choice(WORDS) for _ in range(draw.randint(least, most))]
    images = [[caption(4, 12) for _ in range(draw.randint(1, 5))] for _ in range(40)]
    rarity = rarities(images)
    captions = []
    for _ in range(160):
        image = draw.randrange(len(images))
        kind = draw.randrange(4)
        words = list(draw.choice(images[image])) if kind else caption(0, 14)
        if kind == 2:
            words[draw.randrange(len(words))] = draw.choice(UNSEEN + WORDS)
        if kind == 3:
            words = words[:draw.randint(1, len(words))] + draw.choice([[], UNSEEN[:2] * 2, words[:3]])
        ended = draw.random() < 0.7
        score = cider_d(words + [END] * ended, [reference + [END] for reference in images[image]], rarity)
        captions.append({"image": image, "caption": " ".join(words), "ended": ended, "cider": score})
    elsewhere = [[[draw.choice(WORDS + UNSEEN) for _ in range(draw.randint(2, 9))] for _ in range(2)] for _ in range(70)]
    rarity = rarities(elsewhere)
    for row in captions:
        row["cider_elsewhere"] = cider_d(row["caption"].split() + [END] * row["ended"],
                                         [reference + [END] for reference in images[row["image"]]], rarity)
    text = lambda collection: [[" ".join(words) for words in references] for references in collection]
    rows = lambda values: "[\n" + ",\n".join(map(json.dumps, values)) + "\n]"
    (root / "tests/golden/data/cider_rewards.json").write_text(
        f'{{"images": {rows(text(images))},\n"elsewhere": {rows(text(elsewhere))},\n"captions": {rows(captions)}}}\n')


if __name__ == "__main__":
    main()
