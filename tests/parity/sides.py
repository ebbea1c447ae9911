"""Runs both sides as processes of their own and measures them. Used by parity.py."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time


class Failed(Exception):
    pass


class Sides:
    def __init__(self, root, build, scratch, exact):
        self.root, self.scratch, self.exact = root, scratch, exact
        self.bin, self.tests = (root / build / "bin").resolve(), (root / build / "tests").resolve()
        self.vocabulary = root / "data_prep/bert-base-uncased-vocab.txt"
        self.threads = len(os.sched_getaffinity(0))

    def run(self, command):
        """Standard output, wall seconds, peak MiB of the process."""
        command = [str(word) for word in command]
        start = time.monotonic()
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
            process = subprocess.Popen(command, stdout=out, stderr=errors)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0), errors.seek(0)
            if process.returncode != 0:
                raise Failed(f"{' '.join(command)}: exit {process.returncode}\n{errors.read()[-3000:]}")
            return out.read(), time.monotonic() - start, usage.ru_maxrss / 1024

    def blip(self, verb, *words):
        return self.run([self.bin / "blip_mpi", verb, *words])

    def python(self, script, *words):
        return self.run([sys.executable, "-s", "-S", pathlib.Path(__file__).parent / script, *words])

    def evaluate_batch(self, folder, pictures, captions):
        """parity_batch's figures; its tensors go to the file that hugging_face() reads."""
        request = {"pictures": pictures, "captions": captions, "vocabulary": str(self.vocabulary), "threads": self.threads}
        (self.scratch / "batch.json").write_text(json.dumps(request))
        out, _, _ = self.run(
            [self.tests / "parity_batch", folder, self.scratch / "batch.json", self.scratch / "ours.safetensors"]
        )
        return json.loads(out.splitlines()[-1])

    def hugging_face(self, folder, pictures, captions, beams, lengths):
        request = {"folder": str(folder), "pictures": pictures, "captions": captions, "threads": self.threads, "beams": beams}
        request |= {"ours": str(self.scratch / "ours.safetensors"), "lengths": lengths, "exact": self.exact}
        (self.scratch / "request.json").write_text(json.dumps(request))
        self.python("huggingface_side.py", self.scratch / "request.json", self.scratch / "result.json")
        (self.scratch / "ours.safetensors").unlink()
        return json.loads((self.scratch / "result.json").read_text())

    def caption(self, folder, pictures, beams, lengths):
        words = [word for name, value in lengths.items() for word in ("--" + name.replace("_", "-"), value)]
        out, seconds, peak = self.blip(
            "caption", "--init", folder, "--num-beams", beams, "--search", "transformers", "--threads", self.threads, "--json", *words, *pictures
        )
        return {"captions": [json.loads(line)["caption"] for line in out.splitlines()], "seconds": seconds, "peak": peak}

    def exported_files(self):
        """One model in all forms that export writes, read back by PyTorch and Hugging Face (huggingface_files.py)."""
        folder = self.scratch / "files"
        folder.mkdir()
        for name, words in {
            "model.pth": [],
            "model.safetensors": [],
            "fp32": ["--names", "huggingface"],
            "bf16": ["--names", "huggingface", "--dtype", "bf16"],
            "fp16": ["--names", "huggingface", "--dtype", "fp16"],
        }.items():
            self.blip("export", "--from", "random", "--model", "tiny", "--seed", "7", *words, "--to", folder / name)
        # and once more around: .pth -> ours -> Hugging Face folder -> ours
        self.blip("export", "--from", folder / "fp32", "--to", folder / "back.safetensors")
        out, _, _ = self.python("huggingface_files.py", folder)
        return json.loads(out.splitlines()[-1])
