#!/usr/bin/env python3
"""Rebuilds a folder as it could look after the power failed at any moment of a run, and asks the program what it makes
of it. The run was recorded by file_faults.cpp.

What is taken to last: a file's bytes when it is synced, a folder's names when the folder is. Of what is not synced yet,
anything may be lost: each pending change of a name alone or with others, in any order; bytes as they were at the last
sync, zeros in their place, their first half, or all of them. A file's sync does not keep its name.

    power_loss.py run  RECORD FOLDER RUN [OPTION...] -- CHECKER
        CHECKER: newest_state.cpp's program. RUN: the run's folder, relative to FOLDER. Claims: once the log says that a checkpoint is saved, the newest one found
        is never older; before, there is one or none, but never a refusal. An evaluation that is there has its best weights.
    power_loss.py file RECORD FOLDER NAME [OPTION...] -- COMMAND...
        Claim: NAME, where it is there, passes COMMAND ({} is its path); after the last operation it is there.
Called by tests/faults/power_loss*.sh. The last line counts states; exit 1 if a claim does not hold.
"""
import argparse
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

from disk import read_records, states

class Rebuilder:
    """Trees as folders; a file with the same bytes is stored once."""

    def __init__(self):
        self.top = tempfile.mkdtemp()
        self.stored = {}

    def build(self, tree, copies=False):
        root = tempfile.mkdtemp(dir=self.top)
        for path, part in tree.items():
            full = f"{root}/{path}"
            if part is None:
                os.makedirs(full, exist_ok=True)
                continue
            os.makedirs(os.path.dirname(full), exist_ok=True)
            digest, data = part
            if digest not in self.stored:
                self.stored[digest] = f"{self.top}/bytes-{digest}"
                pathlib.Path(self.stored[digest]).write_bytes(data)
            (shutil.copyfile if copies else os.link)(self.stored[digest], full)
        return root

    def close(self):
        shutil.rmtree(self.top)


def told_steps(said, published):
    """The newest checkpoint that the log called saved, and the epochs it called evaluated."""
    records = [json.loads(line) for line in said.decode().splitlines(keepends=True) if line.endswith("\n")]
    saved = sum(1 for record in records if record["kind"] == "checkpoint" and record["saved"])
    return (published[saved - 1] if saved else 0), [r["epoch"] for r in records if r["kind"] == "evaluation"]


def problem_of(answer, folder, told, evaluated):
    if "error" in answer:
        return f"refused: {answer['error']}"
    if (answer["step"] or 0) < told:
        return f"the newest checkpoint is that of step {answer['step']}, but step {told} was said to be saved"
    if "best_error" in answer:
        return f"best/ does not load: {answer['best_error']}"
    for path in pathlib.Path(folder).glob("evaluations/epoch-*.json"):
        try:
            json.loads(path.read_text())
        except ValueError:
            continue    # the next run evaluates that epoch again
        if answer["best"] is None:
            return f"{path.name} is there, best/ is not"
    if evaluated and answer["best"] is None:
        return f"epoch {evaluated[-1]} was said to be evaluated, best/ is not there"
    return None


def check_run(arguments):
    records = list(read_records(arguments.record))
    published = [int(re.search(r"/step-0*(\d+)", record[4]).group(1)) for record in records
                 if record[0] == "rename" and record[4].endswith("/manifest.json")]
    initial = arguments.told
    program = subprocess.Popen(arguments.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    rebuilder, rng = Rebuilder(), random.Random(arguments.seed + 1)
    count, bad, kept = 0, [], []
    for what, tree, disk, _ in states(arguments.record, arguments.folder, arguments.initial, arguments.every,
                                         arguments.seed):
        count += 1
        root = rebuilder.build(tree)
        program.stdin.write(f"{root}/{arguments.run}\n")
        program.stdin.flush()
        line = program.stdout.readline()
        if not line:
            raise SystemExit(f"the checker ended at: {what}")
        told, evaluated = told_steps(disk.said, published)
        problem = problem_of(json.loads(line), f"{root}/{arguments.run}", max(told, initial), evaluated)
        if problem:
            bad.append(f"{what}: {problem}")
        shutil.rmtree(root)
        if arguments.keep:    # each state with the same chance
            wanted = int(arguments.keep[1])
            if len(kept) < wanted:
                kept.append((what, tree))
            elif (place := rng.randrange(count)) < wanted:
                kept[place] = (what, tree)
    program.stdin.close()
    program.wait()
    for number, (what, tree) in enumerate(kept):
        root = rebuilder.build(tree, copies=True)
        shutil.move(root, f"{arguments.keep[0]}/{number}")
        pathlib.Path(f"{arguments.keep[0]}/{number}.txt").write_text(what + "\n")
    rebuilder.close()
    return count, bad, f"{len(published)} checkpoints"


def check_file(arguments):
    rebuilder = Rebuilder()
    count, there, bad, answers = 0, 0, [], {}
    for what, tree, _, last in states(arguments.record, arguments.folder, arguments.initial, arguments.every,
                                         arguments.seed):
        count += 1
        mine = {path: part for path, part in tree.items() if path == arguments.run or path.startswith(arguments.run + "/")}
        if not any(mine.values()):
            if last or arguments.initial:
                bad.append(f"{what}: {arguments.run} is not there")
            continue
        there += 1
        key = tuple(sorted((path, part and part[0]) for path, part in mine.items()))
        if key not in answers:
            root = rebuilder.build(mine)
            said = subprocess.run([word.replace("{}", f"{root}/{arguments.run}") for word in arguments.command],
                                  capture_output=True, text=True)
            answers[key] = None if said.returncode == 0 else f"exit {said.returncode}: {(said.stdout + said.stderr)[-300:]}"
            shutil.rmtree(root)
        if answers[key]:
            bad.append(f"{what}: {answers[key]}")
    rebuilder.close()
    if not there:
        bad.append(f"{arguments.run} was never there")
    return count, bad, f"{there} with {arguments.run}, {len(answers)} different"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["run", "file"])
    for name in ("record", "folder", "run"):
        parser.add_argument(name)
    parser.add_argument("--every", type=int, default=1, help="a state after every Nth write")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--told", type=int, default=0, help="the step of the checkpoint that was there before")
    parser.add_argument("--initial", help="a copy of what the folder held before")
    parser.add_argument("--keep", nargs=2, help="folder and count: leaves so many states there")
    at = sys.argv.index("--")
    arguments = parser.parse_args(sys.argv[1:at])
    arguments.command = sys.argv[at + 1:]
    count, bad, more = (check_run if arguments.kind == "run" else check_file)(arguments)
    for line in bad[:10]:
        print(line)
    print(f"{count} states, {more}, {len(bad)} against the claim")
    return 1 if bad or not count else 0


if __name__ == "__main__":
    sys.exit(main())
