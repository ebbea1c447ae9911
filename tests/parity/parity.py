"""`make parity`: the same weights in blip_mpi and in Hugging Face transformers, side by side, on the CPU in fp32. Runs in the
environment of env/parity.sh; prints a table (tests/README.md shows it), what was wrong, and last "N passed, N failed, N skipped".
    parity.py [--build DIR] [--rows tiny,base,large,...] [--scratch DIR]
Test data: BLIP_GOLDEN_DIR (the reference's own small model), BLIP_COCO_DIR (real pictures; drawn ones otherwise)."""
import argparse
import gzip
import json
import os
import pathlib
import shutil
import sys
import tempfile

import checks
from clip_rows import ClipRow
from sides import Failed, Sides

ROOT = pathlib.Path(__file__).resolve().parents[2]
PICTURES = 10  # captioned by each model
BATCH = 2  # captions whose loss and gradients are compared
GREEDY = {"max_length": 20, "min_length": 5}
GOLDEN_HEADS = ["--text-heads", "4", "--vision-heads", "3"]  # a .pth does not tell them


def test_data(variable, beside_repository):
    """As tests/support/paths.cpp finds it."""
    path = pathlib.Path(os.environ.get(variable) or ROOT.parent / beside_repository)
    return path if path.exists() else None


def drawn_pictures(sides):
    """Pictures and captions in COCO's layout where the real ones are absent."""
    folder = sides.scratch / "drawn"
    sides.run([sides.bin / "make_sample", "--out", folder, "--train", "10", "--val", "5", "--test", str(PICTURES)])
    return folder


def captioned_pictures(coco):
    rows = json.loads((coco / "karpathy/coco_karpathy_test.json").read_text())[:PICTURES]
    return [str(coco / row["image"]) for row in rows], [row["caption"][0] for row in rows]


class Row:
    """One model, one direction. make(folder): puts a Hugging Face folder there."""

    def __init__(self, name, title, direction, make, pictures, captions, beams=(1,), expected=None):
        self.name, self.title, self.direction, self.make = name, title, direction, make
        self.pictures, self.captions, self.beams, self.expected = pictures, captions, beams, expected

    def run(self, sides, report):
        folder = sides.scratch / self.name
        self.make(folder)
        ours = sides.evaluate_batch(folder, self.pictures, self.captions)
        theirs = sides.hugging_face(folder, self.pictures, self.captions, self.beams, GREEDY)
        searched = {beams: sides.caption(folder, self.pictures, beams, GREEDY) for beams in self.beams}
        report.row(self, ours, theirs, searched)
        shutil.rmtree(folder)


def random_row(name, model, pictures, captions, sides):
    def make(folder):
        sides.blip("export", "--from", "random", "--model", model, "--seed", "7", "--names", "huggingface", "--to", folder)

    return Row(name, model, "blip_mpi to HF", make, pictures, captions[:BATCH])


def made_row(name, model, pictures, captions, sides):
    def make(folder):
        sides.python("huggingface_make.py", folder, model, 7, sides.vocabulary)

    return Row(name, model, "HF to blip_mpi", make, pictures, captions[:BATCH])


def trained_row(golden_dir, coco, captions, sides):
    """The reference's own checkpoint, trained until its captions are English, through blip_mpi to Hugging Face."""
    golden = json.loads(gzip.open(golden_dir / "golden.json.gz").read())
    generation = golden["generation"]
    greedy = next(run for run in generation["runs"] if run["settings"] == {"num_beams": 1, **GREEDY})

    def make(folder):
        pth = golden_dir / "tiny_reference.pth"
        sides.blip("export", "--from", pth, *GOLDEN_HEADS, "--names", "huggingface", "--to", folder)

    pictures = [str(coco / name) for name in generation["images"]]
    return Row("trained", "tiny, trained", ".pth to HF", make, pictures, captions[:6], (1, 3), greedy["captions"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--rows", default="files,trained,clip,clip_base,base,base_back,large,large_back")
    parser.add_argument("--scratch", help="a folder with 6 GB free (default: a temporary one)")
    parser.add_argument("--exact", action="store_true", help="both sides against double precision, too (twice the memory)")
    arguments = parser.parse_args()
    wanted = arguments.rows.split(",")
    report = checks.Report(ROOT / "tests/tolerances.h")
    with tempfile.TemporaryDirectory(prefix="blip_parity_", dir=arguments.scratch) as scratch:
        sides = Sides(ROOT, pathlib.Path(arguments.build), pathlib.Path(scratch), arguments.exact)
        coco, golden = test_data("BLIP_COCO_DIR", "shared/data/coco2014-mini"), test_data("BLIP_GOLDEN_DIR", "shared/golden")
        if coco is None:
            report.skip("captions of real pictures", "BLIP_COCO_DIR is absent: drawn ones instead")
        pictures, captions = captioned_pictures(coco or drawn_pictures(sides))
        rows = [
            random_row("base", "base", pictures, captions, sides),
            made_row("base_back", "base", pictures, captions, sides),
            random_row("large", "large", pictures, captions, sides),
            made_row("large_back", "large", pictures, captions, sides),
            ClipRow("clip", "CLIPScore, tiny", "tiny", pictures, captions),
            ClipRow("clip_base", "CLIPScore, ViT-B/32", "base32", pictures, captions),
        ]
        if golden and coco:
            rows.insert(0, trained_row(golden, coco, captions, sides))
        elif "trained" in wanted:
            report.skip("the trained model", "BLIP_GOLDEN_DIR or BLIP_COCO_DIR is absent")
        if "files" in wanted:
            try:
                report.files(sides.exported_files())
            except Failed as error:
                report.failed("files", str(error))
        for row in rows:
            if row.name in wanted:
                print(f"{row.title}, {row.direction} ...", file=sys.stderr, flush=True)
                try:
                    row.run(sides, report)
                except Failed as error:
                    report.failed(row.name, str(error))
    return report.finish()


sys.exit(main())
