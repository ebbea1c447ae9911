#!/usr/bin/env python3
"""Kills a run at its system calls on the files below its folder, with strace: first counts them, then repeats the run
and kills it before each of them, or before some, drawn of every kind.

    strace_kills.py WORK BASE [--draw N] [--seed S] -- COMMAND...
        BASE: the run's folder at the start, copied to WORK/out before every repetition; {} in COMMAND is that folder
Leaves WORK/killed-N and a line "killed-N<tab>what" for each on standard output; exit 1 if a kill did not take place, 75 if strace may
not trace here. The run is one process, alone in a namespace of process numbers: its temporary files have the same names
each time. Called by tests/faults/checkpoint_kills.sh.
"""
import argparse
import collections
import os
import random
import re
import shutil
import subprocess
import sys

CALLS = "openat,open,write,writev,pwrite64,fsync,fdatasync,rename,renameat,renameat2,close,mkdir,unlink,unlinkat,rmdir,ftruncate"
TRACE = ["unshare", "--pid", "--fork", "--mount-proc", "strace", "-qq", "-y"]


def run(arguments, options, log):
    """Afresh from BASE; returns the exit status, negative for a signal."""
    out = f"{arguments.work}/out"
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(arguments.base, out)
    command = [word.replace("{}", out) for word in arguments.command]
    result = subprocess.run(TRACE + ["-o", log] + options + command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    arguments.said = result.stderr
    return result.returncode


def occurrences(log, out):
    """[(call, path, whether the main thread makes it, which of its calls on that path it is)], in order."""
    found, counts, main = [], collections.Counter(), None
    for line in open(log, errors="replace"):
        thread, text = line.split(None, 1)
        main = main or thread
        call = re.match(r"(\w+)\(", text)    # a "resumed" line was counted when it began
        paths = [path for path in re.findall(r'[<"](/[^">]*)[">]', text) if path == out or path.startswith(out + "/")]
        if not call or not paths:
            continue
        path = paths[0]
        counts[thread, call[1], path] += 1
        found.append((call[1], path, thread == main, counts[thread, call[1], path]))
    return found


def drawn(found, count, seed):
    """At least one of each kind of call, then any."""
    rng = random.Random(seed)
    kinds = collections.defaultdict(list)
    for one in found:
        kinds[one[0]].append(one)
    chosen = [rng.choice(of_kind) for _, of_kind in sorted(kinds.items())]
    rest = [one for one in found if one not in chosen]
    rng.shuffle(rest)
    return (chosen + rest)[:max(count, len(chosen))]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("work")
    parser.add_argument("base")
    parser.add_argument("--draw", type=int, default=0, help="so many only")
    parser.add_argument("--seed", type=int, default=1)
    at = sys.argv.index("--")
    arguments = parser.parse_args(sys.argv[1:at])
    arguments.command = sys.argv[at + 1:]
    log = f"{arguments.work}/calls"
    if subprocess.run(TRACE + ["-o", log, "true"], stderr=subprocess.DEVNULL).returncode != 0:
        return 75
    if run(arguments, ["-f", "-e", "trace=" + CALLS], log) != 0:
        print("the run that counts failed: " + arguments.said[-500:])
        return 1
    found = occurrences(log, f"{arguments.work}/out")
    saves = {path for call, path, _, _ in found if call == "rename" and "/checkpoints/" in path}
    if len(saves) < 2:
        print(f"the run that counts wrote no checkpoint: {len(found)} calls")
        return 1
    chosen = drawn(found, arguments.draw, arguments.seed) if arguments.draw else found
    failures = 0
    for number, (call, path, by_main, nth) in enumerate(chosen):
        # strace counts by thread; without -f the main thread alone
        options = ["-P", path, "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={nth}"]
        status = run(arguments, options if by_main else ["-f"] + options, log)
        what = f"{call} number {nth} on {os.path.relpath(path, arguments.work)} by the {'main' if by_main else 'writing'} thread"
        if status not in (-9, 137):
            print(f"not killed (exit {status}) before {what}")
            failures += 1
        os.rename(f"{arguments.work}/out", f"{arguments.work}/killed-{number}")
        print(f"killed-{number}\t{what}")
    print(f"{len(chosen)} of {len(found)} system calls, {failures} without a kill")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
