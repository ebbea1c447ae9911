"""The captions that both sides score. Used by oracle.py."""
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


class CaptionSet:
    def __init__(self, name, kind, references, results):
        self.name, self.kind = name, kind    # kind: "captions" or "hard"
        self.references, self.results = references, results    # by image id: a list of captions, a caption

    def write(self, folder):
        """As `blip_mpi score` reads them."""
        annotations = [{"image_id": i, "caption": c} for i, captions in self.references.items() for c in captions]
        with open(folder / "references.json", "w", encoding="utf-8") as file:
            json.dump({"images": [{"id": i} for i in self.references], "annotations": annotations}, file)
        with open(folder / "results.json", "w", encoding="utf-8") as file:
            json.dump([{"image_id": i, "caption": c} for i, c in self.results.items()], file)


def by_image(annotations):
    groups = {}
    for row in annotations:
        groups.setdefault(row["image_id"], []).append(row["caption"])
    return groups


def first_against_others(name, kind, groups):
    groups = {i: captions for i, captions in groups.items() if len(captions) > 1}
    return CaptionSet(name, kind, {i: c[1:] for i, c in groups.items()}, {i: c[0] for i, c in groups.items()})


def coco_annotations():
    """COCO's own captions, where they are."""
    file = pathlib.Path(os.environ.get("BLIP_CAPTIONS", ROOT / "../shared/data/coco_captions_half.json"))
    return json.loads(file.read_text(encoding="utf-8"))["annotations"] if file.exists() else None


def drawn_annotations(build, scratch, images, seed):
    """Captions of pictures that make_sample draws."""
    out = scratch / f"sample{images}"
    command = [build / "bin/make_sample", "--out", out, "--train", images, "--val", 1, "--test", 1, "--seed", seed]
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
    return json.loads((out / "annotations/captions_train2014.json").read_text(encoding="utf-8"))["annotations"]


def drawn_hard_lines(scratch, lines, seed):
    """Lines that are hard to tokenise, freshly drawn, five to an image."""
    out = scratch / "hard.txt"
    command = [sys.executable, ROOT / "tests/reference/make_ptb_lines.py", seed, lines, out]
    subprocess.run([str(word) for word in command], check=True)
    text = out.read_text(encoding="utf-8").split("\n")[:-1]
    return {i: text[5 * i : 5 * i + 5] for i in range(len(text) // 5)}


def compared_sets(build, scratch, seed):
    annotations = coco_annotations()
    if annotations is not None:
        yield first_against_others("COCO captions", "captions", by_image(annotations))
    yield first_against_others("drawn captions", "captions", by_image(drawn_annotations(build, scratch, 400, seed)))
    yield first_against_others("hard lines", "hard", drawn_hard_lines(scratch, 3000, seed))


def repeated_set(build, scratch, images):
    """So many images with five references each: captions repeat; a result is another image's caption, or a reference of
    its own with the first words left out."""
    groups = list(by_image(coco_annotations() or drawn_annotations(build, scratch, 400, 1)).values())
    references, results = {}, {}
    for i in range(images):
        own, other = groups[i % len(groups)], groups[(7 * i + 3) % len(groups)]
        references[i + 1] = [own[k % len(own)] for k in range(5)]
        results[i + 1] = other[0] if i % 2 else " ".join(own[0].split()[2:]) or own[0]
    return CaptionSet(f"{images:,} x 5", "captions", references, results)
