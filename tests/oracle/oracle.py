"""blip_mpi score and the wheel blip_score beside pycocoevalcap on the same captions: every key, every image, and the times. Run by
`make metrics-oracle`, and with --times by `make bench`, through env/oracle.sh.

oracle.py --build BUILD [--seed N]              compares; last line "N passed, N failed, N skipped"
oracle.py --build BUILD --times IMAGES...       times of so many images with five references each, and what they compare to;
                                                with --alone those of blip_mpi, in any Python
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile
import zipfile

import caption_sets
import sides


def tolerance(name):
    text = (caption_sets.ROOT / "tests/tolerances.h").read_text()
    return float(re.search(rf"inline constexpr double {name} = ([^;]+);", text).group(1))


# Of the corpus, of an image, and the least share of images that have to be within that.
LIMITS = {
    "captions": ("scores_of_raw_captions", "scores", "equal_caption_tokens"),
    "hard": ("scores_of_hard_lines", "scores", "equal_hard_scores"),
    "METEOR": ("meteor_corpus", "meteor_of_image", "meteor_equal_images"),
}


def unpack_wheel(build, scratch):
    """The wheel, made and unpacked where Python finds it, as an installer would."""
    make = [sys.executable, caption_sets.ROOT / "src/python/make_wheel.py", "--program", build / "bin/blip_mpi_score"]
    subprocess.run([*make, "--licence", caption_sets.ROOT / "LICENSE", "--out", scratch / "wheel"], check=True)
    wheel, = (scratch / "wheel").glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        files.extractall(scratch / "site")
    for program in (scratch / "site/blip_score/bin").iterdir():
        program.chmod(0o755)
    sys.path.insert(0, str(scratch / "site"))


def compare(captions, side, ours, theirs, counts):
    for metric in theirs.corpus:
        name = f"{captions.name}: {metric} of {side}"
        if metric not in ours.corpus:
            counts["skipped"] += 1
            print(f"skipped: {name} (not computed)", flush=True)
            continue
        limits = LIMITS["METEOR"] if metric == "METEOR" and captions.kind == "captions" else LIMITS[captions.kind]
        corpus, of_image, share = map(tolerance, limits)
        difference = abs(ours.corpus[metric] - theirs.corpus[metric])
        images = theirs.per_image[metric]
        assert ours.per_image[metric].keys() == images.keys()
        differences = [abs(ours.per_image[metric][i] - value) for i, value in images.items()]
        equal = sum(value <= of_image for value in differences)
        good = difference <= corpus and equal >= share * len(images)
        counts["passed" if good else "failed"] += 1
        print(
            f"| {captions.name} | {len(images)} | {side} | {metric} | {theirs.corpus[metric]:.6f} | {ours.corpus[metric]:.6f} | "
            f"{difference:.1e} | {equal} | {max(differences):.1e} |{'' if good else ' FAILED'}",
            flush=True,
        )


def run_comparison(build, scratch, seed):
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    print("| captions | images | side | metric | pycocoevalcap | ours | difference | images equal | largest difference |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    times = []
    unpack_wheel(build, scratch)
    for captions in caption_sets.compared_sets(build, scratch, seed):
        ours, theirs = sides.run_ours(build, scratch, captions), sides.run_classes(captions, with_meteor=True)
        compare(captions, "blip_mpi", ours, theirs, counts)
        compare(captions, "blip_score", sides.run_classes(captions, True, "blip_score"), theirs, counts)
        times.append(f"{captions.name}: pycocoevalcap {sum(theirs.seconds.values()):.1f} s "
                     f"({', '.join(f'{k} {v:.1f}' for k, v in theirs.seconds.items())}), blip_mpi {ours.seconds['all']:.2f} s")
    print("\n".join(times))
    if caption_sets.coco_annotations() is None:
        counts["skipped"] += 1
        print("skipped: COCO captions (BLIP_CAPTIONS names their file)")
    print(", ".join(f"{count} {what}" for what, count in counts.items()))
    return 1 if counts["failed"] else 0


def best_of_three(build, scratch, metrics, threads, more=()):
    """The first one may read the program from disk."""
    return min(sides.seconds_of_ours(build, scratch, metrics, threads, more) for _ in range(3))


def run_times(build, scratch, sizes, alone):
    for size in sizes:
        captions = caption_sets.repeated_set(build, scratch, size)
        everything = sides.run_ours(build, scratch, captions)
        theirs = None if alone else sides.run_classes(captions, with_meteor="METEOR" in everything.corpus)
        groups = [("tokens, BLEU, ROUGE-L, CIDEr", ("bleu", "rouge_l", "cider"))]
        if "METEOR" in everything.corpus:
            groups.append(("tokens, METEOR", ("meteor",)))
        for title, metrics in groups:
            own, on_all = (best_of_three(build, scratch, metrics, threads) for threads in (1, 0))
            line = f"{captions.name:12} {title:28}: blip_mpi {own:6.2f} s on one thread, {on_all:.2f} s on all"
            if theirs is not None:
                other = theirs.seconds["tokens"] + sum(theirs.seconds[metric] for metric in metrics)
                parts = ", ".join(f"{step} {theirs.seconds[step]:.1f}" for step in ("tokens", *metrics))
                line += f", pycocoevalcap {other:7.1f} s ({parts}): {other / own:.0f} and {other / on_all:.0f} times"
            print(line, flush=True)
        resampled = (("all metrics, --intervals", ["--intervals"]),
                     ("all metrics of two systems, --compare", ["--compare", str(scratch / "results.json")]))
        for title, more in resampled:
            own, on_all = (best_of_three(build, scratch, (), threads, more) for threads in (1, 0))
            print(f"{captions.name:12} {title}: {own:.2f} s on one thread, {on_all:.2f} s on all", flush=True)
    return 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--times", type=int, nargs="+")
    parser.add_argument("--alone", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if options.times:
            return run_times(options.build, pathlib.Path(scratch), options.times, options.alone)
        return run_comparison(options.build, pathlib.Path(scratch), options.seed)


sys.exit(main())
