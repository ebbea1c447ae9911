#!/usr/bin/env python3
"""Writes lines that are hard to tokenise to ptb_lines_drawn.txt: odd words in, at and between captions, drawn anew.

make_ptb_tokens.py gives them the oracle's tokens. Usage: make_ptb_lines.py [seed] [lines] [file]
"""
import pathlib
import random
import sys

CAPTIONS = """a brown dog runs along the beach with a stick
Two men are standing next to a red truck.
A kitchen has a stove, a sink and an old refrigerator.
The girl's kite flies above the trees on a windy day
three slices of pizza, one of them half eaten, on a paper plate .
A bus (number 12) waits at the corner of the street
there is a clock on the tower. It shows ten
People ride their bikes; nobody wears a helmet!""".split("\n")
MARKS = "& &amp; &quot; / \\ | ~ ^ * ** _ + = % @ # - -- --- ... .. . . ( ) [ ] { } < > \" ' '' `` “ ” ‘ ’ « » – — … • ° ™ ® © " \
    "€ £ ¢ ½ ? ! ?! , ; : , :) :-( =) <3 ^_^ -_- \u200b \u00a0 😀 ❤️ \\*".split(" ")
WORDS = """U.S. u.s. U.K. p.m. a.m. e.g. i.e. etc. vs. Mr. Mrs. Dr. St. Jr. Inc. Co. Ave. Jan. Mon. No. no. ft. oz. lbs.
Ph.D. M.D. J.K. A.B.C A It The This Dog STOP New dog's dogs' don't can't won't it'll we've they're I'm he'd o'clock ma'am
y'all 'em 'tis 'twas ol' rock'n'roll cannot gonna gotta lemme d'oeuvres o'80s double-o'clock mother-in-law x-ray T-shirt
re-use non-U.S. and/or a/c w/ w/o AT&T B&W C++ word.The stop!Now word,word word;word http://a.bc/d?e=f www.a-b.com/cd
photos.net me@there.org @home #tag #2 file.jpg <b> café piñata Zürich 日本 привет""".split()
NUMBERS = """1/2 1,000 3.14 .5 +5 -5 5% $5.00 $1,000 €3 5¢ 5$ 10:30 10am 5p.m. 1st 100th 1980s 80's '80s '10s 4x4 3-D F-16 747
12/25/2013 12/25-2013 2014-05-06 555-1234 5a.b.c 90° 5'6\" 24/7""".split() + ["1 1/2", "(555) 123-4567", "no. 5", "# 2", "10 pm"]
ENDS = ["...", "..", ".)", ".!", ".?\"", ".'", " a", " etc.", " p.m.", " U.S.", " Inc.", ". .", "'", " m."]


def piece(rng):
    return rng.choice(rng.choice([MARKS, WORDS, WORDS, NUMBERS]))


def draw(rng):
    kind = rng.random()
    if kind < 0.25:
        return " ".join(piece(rng) for _ in range(rng.randint(1, 7)))
    if kind < 0.5:
        return "".join(piece(rng) for _ in range(rng.randint(2, 4)))
    words = rng.choice(CAPTIONS).split(" ")
    if kind < 0.6:
        return " ".join(words).rstrip(". ") + rng.choice(ENDS)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(words))
        words[at] = rng.choice(["{1} {0}", "{0}{1}", "{1}{0}"]).format(words[at], piece(rng))
    return " ".join(words)


def main():
    rng = random.Random(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    lines = [draw(rng) for _ in range(int(sys.argv[2]) if len(sys.argv) > 2 else 600)]
    text = "\n".join(lines) + "\n"
    file = pathlib.Path(sys.argv[3]) if len(sys.argv) > 3 else pathlib.Path(__file__).parent / "ptb_lines_drawn.txt"
    file.write_text(text, encoding="utf-8", newline="\n")


main()
