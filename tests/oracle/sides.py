"""Scores and times of both sides. Used by oracle.py."""
import contextlib
import importlib
import json
import os
import subprocess
import tempfile
import time


@contextlib.contextmanager
def quiet():
    """What programs started within print, too, goes nowhere, but for a failure's."""
    saved = os.dup(1), os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
        try:
            yield
        except BaseException:
            said.seek(0)
            os.write(saved[1], said.read())
            raise
        finally:
            os.dup2(saved[0], 1)
            os.dup2(saved[1], 2)


MODULES = {"Bleu": "bleu.bleu", "Cider": "cider.cider", "Meteor": "meteor.meteor", "Rouge": "rouge.rouge",
           "PTBTokenizer": "tokenizer.ptbtokenizer"}


class Scores:
    def __init__(self):
        self.corpus, self.per_image, self.seconds = {}, {}, {}    # by metric; by image in each; by step

    def add(self, metric, corpus, per_image, ids):
        self.corpus[metric] = float(corpus)
        self.per_image[metric] = dict(zip(ids, map(float, per_image), strict=True))


def run_classes(captions, with_meteor, package="pycocoevalcap"):
    """The numbers of pycocoevalcap's classes, or of another package's that has their names. Both tokenizer runs count as
    "tokens", as its COCOEvalCap does them."""
    Bleu, Cider, Meteor, Rouge, PTBTokenizer = (
        getattr(importlib.import_module(f"{package}.{module}"), name) for name, module in MODULES.items())
    scores = Scores()
    ids = list(captions.references)

    def timed(step, work):
        start = time.perf_counter()
        with quiet():
            result = work()
        scores.seconds[step] = time.perf_counter() - start
        return result

    def tokenise():
        tokenizer = PTBTokenizer()
        references = tokenizer.tokenize({i: [{"caption": c} for c in captions.references[i]] for i in ids})
        return references, tokenizer.tokenize({i: [{"caption": captions.results[i]}] for i in ids})

    references, results = timed("tokens", tokenise)
    corpus, per_image = timed("bleu", lambda: Bleu().compute_score(references, results, verbose=0))
    for n in range(4):
        scores.add(f"Bleu_{n + 1}", corpus[n], per_image[n], ids)
    scores.add("ROUGE_L", *timed("rouge_l", lambda: Rouge().compute_score(references, results)), ids)
    scores.add("CIDEr", *timed("cider", lambda: Cider().compute_score(references, results)), ids)
    if with_meteor:
        scores.add("METEOR", *timed("meteor", lambda: Meteor().compute_score(references, results)), ids)
    return scores


def score_command(build, scratch, metrics=(), threads=1):
    """threads: 0 for one on each core"""
    command = [build / "bin/blip_mpi", "score", "--references", scratch / "references.json", "--results", scratch / "results.json"]
    command += ["--threads", threads, "--json"]
    if metrics:
        command += ["--metrics", ",".join(metrics)]
    return [str(word) for word in command]


def seconds_of_ours(build, scratch, metrics, threads, more=()):
    """From its start to its end, on captions that were written to scratch. more: further options."""
    start = time.perf_counter()
    subprocess.run(score_command(build, scratch, metrics, threads) + list(more), check=True, capture_output=True)
    return time.perf_counter() - start


def run_ours(build, scratch, captions):
    captions.write(scratch)
    out = scratch / "per_image.json"
    command = score_command(build, scratch) + ["--per-image", str(out)]
    scores, start = Scores(), time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    scores.seconds["all"] = time.perf_counter() - start
    rows = json.loads(out.read_text())
    for metric, corpus in json.loads(done.stdout).items():
        if not isinstance(corpus, float):    # the signature and the like
            continue
        scores.add(metric, corpus, [row[metric] for row in rows], [row["image_id"] for row in rows])
    return scores
