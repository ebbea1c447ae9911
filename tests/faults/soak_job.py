"""The run that the soak disturbs: its command, its processes, and what lies in its output folder. Used by soak.py."""
import json
import os
import re
import signal
import subprocess
import time

LIMIT_S = 90    # nothing that is done to a job lets it go on for longer than this


class Failure(Exception):
    """A promise of the program that was not kept."""


def parent_of(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return int(stat.read().rpartition(")")[2].split()[1])
    except (OSError, ValueError):
        return -1


def below(pid):
    """All processes started by pid, directly or not."""
    everyone = {int(p): parent_of(p) for p in os.listdir("/proc") if p.isdigit()}
    found, new = [], {pid}
    while new:
        new = {p for p, parent in everyone.items() if parent in new}
        found += sorted(new)
    return found


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except (OSError, IndexError):
        return False


def peak_kb(pid):
    """The most address space that a process has had."""
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmPeak:\s+(\d+)", status.read()).group(1))


def trace(pid, options):
    """strace on a running process and its threads, once it sees what they do; it ends with them."""
    tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", *options, "-p", str(pid)],
                              stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    while alive(pid) and tracer.poll() is None:
        with open(f"/proc/{pid}/status") as status:
            if f"TracerPid:\t{tracer.pid}\n" in status.read():
                break
        time.sleep(0.005)
    return tracer


def may_attach():
    """Whether strace may look into processes that it has not started."""
    sleeper = subprocess.Popen(["sleep", "60"])
    tracer = trace(sleeper.pid, [])
    allowed = tracer.poll() is None
    sleeper.kill()
    sleeper.wait()
    tracer.wait()
    return allowed


class Job:
    """One mpirun of the run, with a file for what it says."""

    def __init__(self, command, said):
        self.said = said
        with open(said, "wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                            start_new_session=True)
        self.begin = time.monotonic()
        self.seen = {}    # rank -> pid

    def text(self):
        with open(self.said, errors="replace") as file:
            return file.read()

    def running(self):
        return self.process.poll() is None

    def ranks(self):
        """pid of each rank's program; of those that strace or a shell started, the program itself."""
        for pid in below(self.process.pid):
            try:
                with open(f"/proc/{pid}/environ", "rb") as file:
                    rank = re.search(rb"OMPI_COMM_WORLD_RANK=(\d+)", file.read())
                name = os.readlink(f"/proc/{pid}/exe")
            except OSError:
                continue
            if rank and os.path.basename(name).startswith("blip_mpi"):
                self.seen[int(rank.group(1))] = pid
        return self.seen

    def wait_until(self, condition, what, limit_s=LIMIT_S):
        """False if the job ended first."""
        deadline = time.monotonic() + limit_s
        while not condition():
            if not self.running():
                return bool(condition())
            if time.monotonic() > deadline:
                self.kill()
                raise Failure(f"waited {limit_s} s in vain for {what}; it said:\n{self.text()[-2000:]}")
            time.sleep(0.01)
        return True

    def signal_rank(self, rank, number):
        """False if there is no such process any more."""
        if not self.wait_until(lambda: rank in self.ranks(), f"rank {rank}"):
            return False
        try:
            os.kill(self.seen[rank], number)
            return True
        except ProcessLookupError:
            return False

    def trace_rank(self, rank, options):
        """trace of that rank's process."""
        self.wait_until(lambda: rank in self.ranks(), f"rank {rank}")
        return trace(self.seen[rank], options)

    def signal_launcher(self, number):
        try:
            os.kill(self.process.pid, number)
        except ProcessLookupError:
            pass

    def kill(self):
        """The whole job at once, as a node that goes down."""
        for pid in below(self.process.pid) + [self.process.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()

    def end(self, limit_s=LIMIT_S):
        """Its exit code as a shell tells it, once it and all its processes are gone."""
        others = set(below(self.process.pid))
        try:
            code = self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            stacks = [f"{p}: {open(f'/proc/{p}/cmdline').read()[:80]!r}" for p in below(self.process.pid)]
            self.kill()
            raise Failure(f"it was still there after {limit_s} s: {stacks}; it said:\n{self.text()[-2000:]}") from None
        deadline = time.monotonic() + 30
        while left := [p for p in others | set(self.seen.values()) if alive(p)]:
            if time.monotonic() > deadline:
                for pid in left:
                    os.kill(pid, signal.SIGKILL)
                raise Failure(f"its processes {left} outlived it by 30 s; it said:\n{self.text()[-2000:]}")
            time.sleep(0.02)
        return 128 - code if code < 0 else code


class Run:
    """A training run that is started again and again with the same command."""

    def __init__(self, program, data, output, options, scratch):
        self.program, self.data, self.output, self.options, self.scratch = program, data, output, options, scratch
        self.log_before = 0    # bytes of whole lines in the log when the job was started

    def of_rank(self, data=None, extra=()):
        return [self.program, "train", "--data", data or self.data, "--output", self.output, *self.options, *extra]

    def start(self, first=None, second=None):
        """first, second: the commands of rank 0 and 1 where they are not the usual one."""
        if first is None and second is None:
            command = ["mpirun", "-np", "2", *self.of_rank()]
        else:
            command = ["mpirun", "-np", "1", *(first or self.of_rank()), ":", "-np", "1", *(second or self.of_rank())]
        try:
            with open(self.folder("log.jsonl"), "rb") as log:
                self.log_before = log.read().rfind(b"\n") + 1
        except FileNotFoundError:
            self.log_before = 0
        return Job(command, os.path.join(self.scratch, "said"))

    def folder(self, *parts):
        return os.path.join(self.output, *parts)

    def checkpoints(self):
        """(step, folder) of all that have a manifest, newest first."""
        try:
            names = os.listdir(self.folder("checkpoints"))
        except FileNotFoundError:
            return []
        found = []
        for name in names:
            match = re.fullmatch(r"step-(\d+)(?:\.(\d+))?", name)
            if match and os.path.exists(self.folder("checkpoints", name, "manifest.json")):
                found.append((int(match.group(1)), int(match.group(2) or 0), self.folder("checkpoints", name)))
        return [(step, path) for step, _, path in sorted(found, reverse=True)]

    def being_written(self):
        """A checkpoint's folder without its manifest is there."""
        try:
            names = os.listdir(self.folder("checkpoints"))
        except FileNotFoundError:
            return False
        return any(n.startswith("step-") and not os.path.exists(self.folder("checkpoints", n, "manifest.json"))
                   for n in names)

    def logged_step(self):
        """The last step that the job logged; 0 if there is none."""
        try:
            with open(self.folder("log.jsonl"), "rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(self.log_before, file.tell() - 4000))
                steps = re.findall(rb'"kind":"step",[^{}\n]*?"step":(\d+)', file.read())
        except FileNotFoundError:
            return 0
        return int(steps[-1]) if steps else 0

    def losses(self):
        """step -> loss; the last record of a step counts, what is no record does not."""
        losses = {}
        with open(self.folder("log.jsonl"), errors="replace") as file:
            for line in file:
                try:
                    record = json.loads(line)
                except ValueError:
                    continue
                if isinstance(record, dict) and record.get("kind") == "step":
                    losses[record["step"]] = record["loss"]
        return losses
