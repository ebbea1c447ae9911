"""A folder as the kernel holds it and as it would be after the power failed: what lasts of the operations that
file_faults.cpp recorded. Used by power_loss.py, which says what is taken to last."""
import hashlib
import itertools
import os
import pathlib
import random

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


def states(record_file, folder, initial, every, seed):
    """Yields (description, tree, disk, whether the last operation was done) for every folder that differs from those before.
    every: a state after every Nth write."""
    disk = Disk(os.path.realpath(folder), initial)
    data = open(record_file + ".data", "rb").read()
    rng = random.Random(seed)
    seen = set()
    writes = 0
    records = list(read_records(record_file))
    for point, record in enumerate(records):
        disk.carry_out(record, data)
        if record[0] in ("open", "close"):    # nothing changes
            continue
        writes += record[0] == "write"
        if record[0] == "write" and writes % every and point + 1 < len(records):
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
