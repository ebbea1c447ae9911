#!/usr/bin/env python3
"""Rebuilds a folder as it could look after the power failed at any moment of a run, and asks the program what it makes
of it. The run was recorded by file_faults.cpp.

What is taken to last: a file's bytes when it is synced, a folder's names when the folder is. Of what is not synced yet,
anything may be lost: each pending change of a name alone or with others, in any order; bytes as they were at the last
sync, zeros in their place, their first half, or all of them. A file's sync does not keep its name.

    power_loss.py run  RECORD FOLDER RUN CHECKER [--every N] [--seed S] [--keep DIR COUNT] [--initial DIR]
        RUN: the run's folder, relative to FOLDER. Claims: once the log says that a checkpoint is saved, the newest one found
        is never older; before, there is one or none, but never a refusal. An evaluation that is there has its best weights.
    power_loss.py file RECORD FOLDER NAME COMMAND... [--every N] [--seed S] [--initial DIR]
        Claim: NAME, where it is there, passes COMMAND ({} is its path); after the last operation it is there.
Called by tests/faults/power_loss*.sh. The last line counts states; exit 1 if a claim does not hold.
"""
import argparse
import hashlib
import itertools
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

O_TRUNC = os.O_TRUNC
RENAME_EXCHANGE = 2


class File:
    def __init__(self, content=b""):
        self.content = bytearray(content)
        self.durable = bytes(content)
        self.version = 0    # of the content
        self.synced = 0     # the version that lasts
        self.cache = {}

    def change(self):
        self.version += 1
        self.cache = {}

    def after_loss(self, mode):
        """The bytes that are left; mode: synced, zeros, half, all."""
        if mode not in self.cache:
            if self.synced == self.version or mode == "all":
                data = bytes(self.content)
            elif mode == "synced":
                data = self.durable
            elif mode == "zeros":
                data = self.durable[:len(self.content)] + bytes(max(0, len(self.content) - len(self.durable)))
            else:
                data = bytes(self.content[:len(self.content) // 2])
            self.cache[mode] = (hashlib.blake2b(data, digest_size=16).hexdigest(), data)
        return self.cache[mode]


class Folder:
    def __init__(self):
        self.names, self.durable = {}, {}


def apply(names, change):
    """One change of names within a folder: [(name, node or None), ...], all at once."""
    for name, node in change:
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


class Disk:
    """What is in memory and what lasts, of one folder."""

    def __init__(self, below, initial=None):
        self.below = below
        self.root = Folder()
        self.open = {}       # (pid, fd) -> node
        self.pending = []    # (folder, change) in order, not synced
        self.said = bytearray()    # all that was appended to log.jsonl
        if initial:
            self.load(self.root, pathlib.Path(initial))

    def load(self, folder, path):
        for entry in path.iterdir():
            node = Folder() if entry.is_dir() else File(entry.read_bytes())
            if entry.is_dir():
                self.load(node, entry)
            folder.names[entry.name] = folder.durable[entry.name] = node

    def find(self, path):
        node = self.root
        for part in os.path.relpath(path, self.below).split("/"):
            if part != ".":
                node = node.names.get(part) if isinstance(node, Folder) else None
        return node

    def place(self, path):
        return self.find(os.path.dirname(path)), os.path.basename(path)

    def rename_to(self, folder, change):
        apply(folder.names, change)
        self.pending.append((folder, change))

    def carry_out(self, record, data):
        operation, pid, fd, path, second, offset, length, at, flags = record
        node = self.open.get((pid, fd))
        if operation in ("create", "open"):
            folder, name = self.place(path) if path != self.below else (None, None)
            node = self.find(path)
            if node is None:
                node = File()
                self.rename_to(folder, [(name, node)])
            elif flags & O_TRUNC and node.content:
                node.content.clear()
                node.change()
            self.open[pid, fd] = node
        elif operation == "write":
            bytes_ = data[at:at + length]
            start = len(node.content) if offset == -1 else offset
            if start > len(node.content):
                node.content.extend(bytes(start - len(node.content)))
            node.content[start:start + length] = bytes_
            node.change()
            if path.endswith("log.jsonl"):
                self.said += bytes_
        elif operation == "truncate":
            node = node or self.find(path)
            del node.content[offset:]
            node.content.extend(bytes(offset - len(node.content)))
            node.change()
        elif operation in ("fsync", "fdatasync"):
            if isinstance(node, Folder):
                for folder, change in self.pending:
                    if folder is node:
                        apply(folder.durable, change)
                self.pending = [entry for entry in self.pending if entry[0] is not node]
            elif node.synced != node.version:
                node.durable, node.synced, node.cache = bytes(node.content), node.version, {}
        elif operation == "close":
            self.open.pop((pid, fd), None)
        elif operation == "mkdir":
            folder, name = self.place(path)
            self.rename_to(folder, [(name, Folder())])
        elif operation == "unlink":
            folder, name = self.place(path)
            self.rename_to(folder, [(name, None)])
        elif operation == "link":
            folder, name = self.place(second)
            self.rename_to(folder, [(name, self.find(path))])
        elif operation == "rename":
            folder, name = self.place(path)
            target, new_name = self.place(second)
            if folder is not target:
                raise SystemExit(f"a rename between folders is not modelled: {path} -> {second}")
            back = self.find(second) if flags & RENAME_EXCHANGE else None
            self.rename_to(folder, [(name, back), (new_name, self.find(path))])
        else:
            raise SystemExit(f"unknown operation {operation}")

    def choices(self, rng):
        """Which pending changes of names made it: index tuples."""
        everything = range(len(self.pending))
        if len(self.pending) <= 4:
            for count in range(len(self.pending) + 1):
                yield from itertools.combinations(everything, count)
            return
        chosen = {tuple(everything[:count]) for count in range(len(self.pending) + 1)}
        chosen |= {tuple(i for i in everything if i != left) for left in everything}
        chosen |= {(i,) for i in everything}
        chosen |= {tuple(i for i in everything if rng.random() < 0.5) for _ in range(8)}
        yield from sorted(chosen)

    def tree(self, chosen, mode):
        """{path: (digest, bytes)}, and None for an empty folder."""
        changes = [self.pending[i] for i in chosen]
        found = {}

        def visit(folder, prefix):
            names = dict(folder.durable)
            for of, change in changes:
                if of is folder:
                    apply(names, change)
            if not names:
                found[prefix] = None
            for name, node in names.items():
                path = f"{prefix}/{name}" if prefix else name
                if isinstance(node, Folder):
                    visit(node, path)
                else:
                    found[path] = node.after_loss(mode)

        visit(self.root, "")
        return found


def read_records(record):
    for line in open(record):
        operation, pid, fd, path, second, offset, length, at, flags = line.rstrip("\n").split("\t")
        yield operation, int(pid), int(fd), path, second, int(offset), int(length), int(at), int(flags)


def states(arguments):
    """Yields (point, operation, description, tree, disk) for every state that is new; and the last with nothing lost."""
    disk = Disk(os.path.realpath(arguments.folder), arguments.initial)
    data = open(arguments.record + ".data", "rb").read()
    rng = random.Random(arguments.seed)
    seen = set()
    writes = 0
    records = list(read_records(arguments.record))
    for point, record in enumerate(records):
        disk.carry_out(record, data)
        if record[0] in ("open", "close"):    # nothing changes
            continue
        writes += record[0] == "write"
        if record[0] == "write" and writes % arguments.every and point + 1 < len(records):
            continue
        for chosen in disk.choices(rng):
            for mode in ("synced", "zeros", "half", "all"):
                tree = disk.tree(chosen, mode)
                key = hashlib.blake2b(repr([(path, part and part[0]) for path, part in sorted(tree.items())]).encode()).digest()
                if key in seen:
                    continue
                seen.add(key)
                what = f"after operation {point + 1} ({record[0]} {os.path.relpath(record[3], disk.below)}), names {chosen} of " \
                       f"{len(disk.pending)} pending, unsynced bytes: {mode}"
                yield what, tree, disk, point + 1 == len(records)


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
    program = subprocess.Popen([arguments.checker], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    rebuilder, rng = Rebuilder(), random.Random(arguments.seed + 1)
    count, bad, kept = 0, [], []
    for what, tree, disk, _ in states(arguments):
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
    for what, tree, _, last in states(arguments):
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
    parser.add_argument("command", nargs="+")
    parser.add_argument("--every", type=int, default=1, help="a state after every Nth write")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--told", type=int, default=0, help="the step of the checkpoint that was there before")
    parser.add_argument("--initial", help="what the folder held before")
    parser.add_argument("--keep", nargs=2, help="folder and count: leaves so many states there")
    arguments = parser.parse_args()
    arguments.checker = arguments.command[0]
    count, bad, more = (check_run if arguments.kind == "run" else check_file)(arguments)
    for line in bad[:10]:
        print(line)
    print(f"{count} states, {more}, {len(bad)} against the claim")
    return 1 if bad or not count else 0


if __name__ == "__main__":
    sys.exit(main())
