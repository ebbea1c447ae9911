"""The program that computes: started once, asked by lines of JSON (src/app/score/requests.h)."""
import atexit
import json
import os
import pathlib
import subprocess
import threading

FOLDER = pathlib.Path(__file__).parent


class ScoreError(ValueError):
    """What the program says about captions that it cannot score."""


class Program:
    def __init__(self):
        self.lock = threading.Lock()
        self.process = None
        self.owner = None

    def start(self):
        environment = dict(os.environ)
        paths = [str(FOLDER / "lib"), environment.get("LD_LIBRARY_PATH", "")]
        environment["LD_LIBRARY_PATH"] = ":".join(path for path in paths if path)
        self.process = subprocess.Popen([str(FOLDER / "bin" / "blip_mpi_score"), "requests"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, env=environment)
        self.owner = os.getpid()

    def ask(self, request):
        with self.lock:
            # a fork shares its parent's pipes, and the answers would mix
            if self.process is None or self.owner != os.getpid() or self.process.poll() is not None:
                self.start()
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError(f"blip_mpi_score ended with {self.process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            kind = FileNotFoundError if answer["exit_code"] == 66 else ScoreError
            raise kind(answer["error"])
        return answer

    def stop(self):
        if self.process is not None and self.owner == os.getpid():
            self.process.stdin.close()
            self.process.stdout.close()
            self.process.wait()


program = Program()
atexit.register(program.stop)


def pairs_of(gts, res):
    """Captions and references in the order of gts' images, as pycocoevalcap's scorers check and take them."""
    assert gts.keys() == res.keys()
    for key in gts:
        assert isinstance(res[key], list) and len(res[key]) == 1
        assert isinstance(gts[key], list) and len(gts[key]) > 0
    return {"hypotheses": [res[key][0] for key in gts], "references": [gts[key] for key in gts]}


def array_of(values):
    """A numpy array where numpy is, as pycocoevalcap's; else the list."""
    try:
        import numpy
    except ImportError:
        return values
    return numpy.array(values)


def score_of(metric, name, gts, res, **more):
    answer = program.ask({"score": metric, **pairs_of(gts, res), **more})
    return answer["corpus"][name], answer["per_image"][name]
