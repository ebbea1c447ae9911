"""CLIPScore of `blip_mpi score --clip` beside Hugging Face's CLIPModel and CLIPProcessor on the same random weights, real
pictures, their captions and odd texts. Used by parity.py."""
import json
import os
import pathlib
import shutil

ODD = [  # each is the caption of a picture; what a tokenizer makes of them decides its score
    "It's the dog's ball, they'll say; we've WON'T!!", "  tabs\tand\n\nlines \u3000 wide  ", "caf\u00e9 Cafe\u0301 \u00c5ngstr\u00f6m STRASSE \u00df",
    "12 dogs, 3.5 cats & 100%", "\u72d7\u5728\u8857\u4e0a", "a \U0001f415 runs \U0001f468\u200d\U0001f469\u200d\U0001f467", "\u041a\u043e\u0448\u043a\u0430 \u03a3\u0391\u03a3 \u0130stanbul",
    "?!?... --- ((x)) 'quoted' ''", "snake_case and e-mail@example.org http://a.b/c", "\u00bd cup, x\u00b2, \u2167, \u0664\u0665", "", "a " * 90, "man " * 30 + "on a street",
    "\u0e01\u0e34\u0e19\u0e02\u0e49\u0e32\u0e27", "na\u00efve co\u00f6perate \u2014 \u201cquotes\u201d \u2019s",
]


class ClipRow:
    def __init__(self, name, title, shape, pictures, captions):
        self.name, self.title, self.shape, self.direction = name, title, shape, "HF to blip_mpi"
        self.pictures, self.captions = pictures, [*captions, *ODD]
        # not the caption itself
        self.references = [[captions[(i + k) % len(captions)] for k in (1, 2, 3)] for i in range(len(self.captions))]

    def run(self, sides, report):
        folder, request, result = (sides.scratch / name for name in (self.name, "clip_request.json", "clip_result.json"))
        request.write_text(json.dumps({"pictures": self.pictures, "captions": self.captions, "references": self.references}))
        sides.python("clip_side.py", folder, self.shape, 7, request, result)
        theirs = json.loads(result.read_text())
        scored = self.score(sides, folder, theirs["used"])
        report.check(f"{self.title}: vocabulary", theirs["merges"] > 100, f"{theirs['merges']} merges")
        for metric, values in theirs["scores"].items():
            worst = max(abs(row[metric] - value) for row, value in zip(scored, values, strict=True))
            report.at_most(f"{self.title}: {metric}", worst, "clip_scores")
            # scores that hardly differ would be equal whatever was computed
            spread = max(values) - min(values)
            report.check(f"{self.title}: {metric} differs among captions", spread > 0.02, f"by {spread:.2g} alone")
            report.notes.append(f"{self.title}, {theirs['parameters'] / 1e6:.1f} M parameters: {metric} of {len(values)} captions, "
                                f"from {min(values):.3f} to {max(values):.3f}, differs by {worst:.1e}")
        shutil.rmtree(folder)

    def score(self, sides, folder, used):
        """blip_mpi's rows of the captions, in order."""
        pictures = sides.scratch / "clip_pictures"
        pictures.mkdir()
        names = [f"p{i:03}" for i in range(len(used))]
        for name, file in zip(names, used, strict=True):
            os.symlink(pathlib.Path(file).resolve(), pictures / (name + ".jpg"))
        references, results, rows = (sides.scratch / f"clip_{name}.json" for name in ("references", "results", "rows"))
        references.write_text(json.dumps(dict(zip(names, self.references, strict=True))))
        results.write_text(json.dumps(dict(zip(names, self.captions, strict=True))))
        sides.blip("score", references, results, "--metrics", "rouge_l", "--clip", folder, "--images", pictures, "--per-image", rows)
        shutil.rmtree(pictures)
        by_name = {row["image_id"]: row for row in json.loads(rows.read_text())}
        return [by_name[name] for name in names]
