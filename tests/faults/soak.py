#!/usr/bin/env python3
"""A training run under random faults. `make soak FAULTS=100 SEED=1`, and in its short form tests/faults/soak.sh.

    soak.py --build DIR [--faults N] [--seed S] [--small] [--only PART] [--table FILE]

One run of the tiny preset is started again after each fault with the same command until it is done. After each fault: the
exit code is one that is promised, nothing of the job is left, and the next start goes on from the newest checkpoint that
was whole. At the end: weights, best weights and losses are those of an undisturbed run, bit for bit. --table writes what
happened into FILE between its markers. Exit 1, and the seed, if anything was not so. --small takes a smaller network.
"""
import argparse
import filecmp
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
from soak_faults import deal    # noqa: E402
from soak_job import Failure, Run, may_attach, peak_kb    # noqa: E402

BEGIN, END = "<!-- soak: written by `make soak` -->", "<!-- end of soak -->"
BROKEN = re.compile(r"Segmentation fault|AddressSanitizer|runtime error:|double free|terminate called|Assertion")


class Soak:
    def __init__(self, arguments, scratch):
        self.arguments, self.scratch = arguments, scratch
        self.comm_timeout_s = 5
        self.slack_s = 10    # start-up and end of a job on a busy machine
        self.can_trace = shutil.which("strace") is not None and subprocess.run(
            ["strace", "-f", "-o", "/dev/null", "true"], capture_output=True).returncode == 0
        self.can_attach = self.can_trace and may_attach()
        self.own_disk = False
        self.spoiled = set()
        self.resumed = 0
        self.left, self.runs = arguments.faults, 1
        self.job = None
        self.rows = []

    # ---- the run ----
    def prepare(self):
        tools = os.path.join(self.arguments.build, "bin")
        data = os.path.join(self.scratch, "sample.h5")
        subprocess.run([os.path.join(tools, "make_sample"), "--out", os.path.join(self.scratch, "coco"), "--train", "24",
                        "--val", "3", "--test", "2"], check=True, capture_output=True)
        subprocess.run([os.path.join(tools, "coco_pack"), "--coco", os.path.join(self.scratch, "coco"), "--out", data],
                       check=True, capture_output=True)
        self.steps_an_epoch = 30    # 120 captions, 4 at a time
        self.most_steps = 15 if self.arguments.small else 6    # between a start and its fault
        self.epochs = max(2, -(-self.arguments.faults * self.most_steps // self.steps_an_epoch))
        self.last_step = self.steps_an_epoch * self.epochs
        options = ["--model", "tiny", "--threads", "1", "--loader-threads", "1", "--no-progress", "--init-lr", "1e-3",
                   "--global-batch", "4", "--micro-batch", "2", "--epochs", str(self.epochs), "--checkpoint-every", "2",
                   "--keep", "3", "--comm-timeout", str(self.comm_timeout_s), "--log-samples", "0"]
        if self.arguments.small:
            options += ["--text-hidden", "32", "--text-heads", "2", "--text-intermediate", "64", "--text-layers", "2",
                        "--vision-width", "32", "--vision-depth", "2", "--vision-heads", "2", "--image-size", "32"]
        program = os.path.join(tools, "blip_mpi")
        self.whole = Run(program, data, os.path.join(self.scratch, "undisturbed"), options, self.scratch)
        self.run = Run(program, data, os.path.join(self.scratch, "disturbed"), options, self.scratch)

    def mount_disk(self):
        """A disk of its own for the run, which can be filled without harm to others."""
        os.mkdir(self.run.output)
        if os.environ.get("SOAK_OWN_MOUNTS"):
            used = sum(os.path.getsize(os.path.join(f, n)) for f, _, names in os.walk(self.whole.output) for n in names)
            done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={used * 2 + 2**26}", "none", self.run.output])
            self.own_disk = done.returncode == 0

    def steps_to_spend(self):
        """How far this attempt may go, so that the run is not through before the last fault."""
        return max(0, (self.last_step - 12 - self.resumed) // max(1, self.left))

    @staticmethod
    def version_of(folder):
        """A folder of that name may be written anew later."""
        return folder, os.stat(os.path.join(folder, "manifest.json")).st_mtime_ns

    def damaged(self, folder):
        if os.path.exists(os.path.join(folder, "manifest.json")):
            self.spoiled.add(self.version_of(folder))

    def start(self, first=None, second=None):
        whole = [step for step, folder in self.run.checkpoints() if self.version_of(folder) not in self.spoiled]
        self.resumed = whole[0] if whole else 0
        self.job = self.run.start(first, second)
        return self.job

    # ---- one fault ----
    def resumed_rightly(self, text):
        """The job, if it came so far, went on from the newest whole checkpoint."""
        found = re.search(r"resuming after step (\d+)|starting from random weights", text)
        return found is None or int(found.group(1) or 0) == self.resumed

    def disturb(self, number, name, function, rng):
        begin = time.monotonic()
        self.instead = None
        code, promised, must_say = function(self, rng)
        name = self.instead or name
        text = self.job.text()
        row = {"name": name, "code": code, "from": self.resumed, "to": self.run.logged_step() or self.resumed}
        self.rows.append(row)
        print(f"{number:3}  {name:54} exit {code:3}  step {row['from']:4} -> {row['to']:4}  "
              f"{time.monotonic() - begin:5.1f} s", flush=True)
        problems = []
        if code not in promised and not (code == 0 and self.finished(text)):
            problems.append(f"exit {code} instead of {sorted(promised)}")
        if code in promised and must_say and must_say not in text:
            problems.append(f"it does not say '{must_say}'")
        if not self.resumed_rightly(text):
            problems.append(f"it did not go on from step {self.resumed}")
        if BROKEN.search(text):
            problems.append("it crashed")
        if problems:
            raise Failure(f"{'; '.join(problems)}; it said:\n{text[-4000:]}")
        if code == 0:    # it was faster than the fault: the rest of the faults go to another run
            self.compare()
            self.begin_anew()

    @staticmethod
    def finished(text):
        return "finished after step" in text

    def begin_anew(self):
        for name in os.listdir(self.run.output):
            path = self.run.folder(name)
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
        self.runs += 1

    def finish(self):
        for _ in range(3):
            job = self.start()
            code, text = job.end(600), job.text()
            if not self.resumed_rightly(text):
                raise Failure(f"at the end it did not go on from step {self.resumed}:\n{text[-4000:]}")
            if code == 0:
                return
        raise Failure(f"undisturbed at last, it ends with {code}:\n{text[-4000:]}")

    def compare(self):
        (step, disturbed), (other_step, whole) = self.run.checkpoints()[0], self.whole.checkpoints()[0]
        if not step == other_step == self.last_step:
            raise Failure(f"the last checkpoints are of steps {step} and {other_step} instead of {self.last_step}")
        names = sorted(n for n in os.listdir(whole) if n.startswith("shard-"))
        pairs = [(os.path.join(disturbed, n), os.path.join(whole, n)) for n in names]
        pairs.append((self.run.folder("best", "model.safetensors"), self.whole.folder("best", "model.safetensors")))
        for ours, theirs in pairs:
            if not filecmp.cmp(ours, theirs, shallow=False):
                raise Failure(f"{ours} differs from the undisturbed run's")
        losses, others = self.run.losses(), self.whole.losses()
        differing = [s for s in others if losses.get(s) != others[s]]
        if differing:
            raise Failure(f"other losses than the undisturbed run's at steps {differing[:10]}")

    def soak(self):
        job = self.job = self.whole.start()
        job.wait_until(lambda: self.whole.logged_step() >= self.steps_an_epoch + 3, "an epoch of the undisturbed run", 300)
        self.peak_kb = min(peak_kb(pid) for pid in job.ranks().values())
        if job.end(1800) != 0:
            raise Failure(f"the undisturbed run failed:\n{job.text()[-4000:]}")
        self.mount_disk()
        for number, (name, function, rng) in enumerate(deal(self.arguments.seed, self.arguments.faults, self.arguments.only), 1):
            try:
                self.disturb(number, name, function, rng)
            except Failure as failure:
                raise Failure(f"fault {number} ({name}): {failure}") from None
            self.left -= 1
        self.finish()
        self.compare()

    # ---- the table ----
    def table(self, seconds):
        lines = ["| fault | times | exit codes | steps done again |", "|---|---|---|---|"]
        for name in dict.fromkeys(r["name"] for r in sorted(self.rows, key=lambda r: r["name"])):
            rows = [r for r in self.rows if r["name"] == name]
            codes = ", ".join(str(c) for c in sorted({r["code"] for r in rows}))
            again = sum(r["lost"] for r in rows)
            lines.append(f"| {name} | {len(rows)} | {codes} | {again} |")
        return "\n".join([
            BEGIN,
            f"`make soak FAULTS={self.arguments.faults} SEED={self.arguments.seed}`: {len(self.rows)} faults in "
            f"{'a run' if self.runs == 1 else f'{self.runs} runs'} of {self.last_step} steps, {seconds:.0f} s. After each, the same command went on from the newest whole "
            "checkpoint; final weights, best weights and all losses are the undisturbed run's, bit for bit. (0: the run was "
            "over before the fault could strike, and compared; a new one took the next fault.)", "",
            *lines, END])

    def write_table(self, seconds):
        for row, following in zip(self.rows, self.rows[1:] + [{"from": self.rows[-1]["to"]}]):
            row["lost"] = max(0, row["to"] - following["from"]) if row["code"] != 0 else 0
        path = self.arguments.table
        old = open(path).read() if os.path.exists(path) else f"# Faults\n\n{BEGIN}\n{END}\n"
        before, found, rest = old.partition(BEGIN)
        after = rest.partition(END)[2] if found else ""
        with open(path, "w") as file:
            file.write(before + self.table(seconds) + after)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--faults", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="faults whose names have this part")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--table")
    arguments = parser.parse_args()
    arguments.build = os.path.abspath(arguments.build)
    if not os.environ.get("SOAK_OWN_MOUNTS") and subprocess.run(["unshare", "-m", "true"],
                                                                 capture_output=True).returncode == 0:
        os.environ["SOAK_OWN_MOUNTS"] = "1"
        os.execvp("unshare", ["unshare", "-m", sys.executable, *sys.argv])
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="soak.") as scratch:
        soak = Soak(arguments, scratch)
        failure = None
        try:
            soak.prepare()
            soak.soak()
        except Failure as problem:
            failure = problem
        finally:
            if soak.job is not None and soak.job.running():
                soak.job.kill()
            if soak.own_disk:
                subprocess.run(["umount", soak.run.output])
        seconds = time.monotonic() - begin
        if failure is None and arguments.table:
            soak.write_table(seconds)
    if failure is not None:
        print(f"FAILED (--seed {arguments.seed}): {failure}")
        return 1
    print(f"soak: {len(soak.rows)} faults, seed {arguments.seed}, {soak.last_step} steps, {seconds:.0f} s: weights, best "
          "weights and losses are the undisturbed run's, bit for bit")
    return 0


if __name__ == "__main__":
    sys.exit(main())
