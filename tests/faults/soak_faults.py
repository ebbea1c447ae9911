"""What the soak does to a run. Each fault is a function of (soak, random): it starts the job once, disturbs it, waits for
its end, and returns (exit codes that are promised, text that must be said or None). Used by soak.py."""
import os
import random
import shutil
import signal
import time



KINDS = []    # (name, function)


def fault(name):
    def add(function):
        KINDS.append((name, function))
        return function
    return add


# ---- moments ----
def reach(soak, rng, job):
    """Waits for a moment drawn from rng: after some steps, in a checkpoint, in an epoch's evaluation."""
    run = soak.run
    steps = min(rng.randint(1, soak.most_steps), soak.steps_to_spend())
    goal = soak.resumed + steps
    kind = rng.choice(["step", "step", "checkpoint", "evaluation"])
    left = soak.steps_an_epoch - soak.resumed % soak.steps_an_epoch
    if kind == "evaluation" and left <= soak.most_steps + 2:
        goal = soak.resumed + left
    job.wait_until(lambda: run.logged_step() >= goal, f"step {goal}")
    if kind == "checkpoint":
        job.wait_until(lambda: run.being_written() or run.logged_step() > goal + 3, "a checkpoint")
    else:
        time.sleep(rng.uniform(0, 0.15))
    return "checkpoint" if kind == "checkpoint" else "evaluation" if goal == soak.resumed + left else "step"


def start_up(rng, job):
    """Waits for a moment drawn from the first second, before or after MPI_Init."""
    job.wait_until(lambda: len(job.ranks()) == 2, "both ranks")
    time.sleep(rng.uniform(0, 0.8))


def at_work(soak, rng, job):
    if rng.random() < 0.2 or soak.steps_to_spend() < 1:
        start_up(rng, job)
    else:
        reach(soak, rng, job)


def stop_after_steps(soak, rng, job):
    """Ends an attempt whose fault lies behind it: USR1, and a checkpoint."""
    reach(soak, rng, job)
    job.signal_launcher(signal.SIGUSR1)
    return job.end()


# ---- killed ----
@fault("kill -9 of one rank")
def kill_rank(soak, rng):
    job = soak.start()
    at_work(soak, rng, job)
    job.signal_rank(rng.randrange(2), signal.SIGKILL)
    return job.end(), {137}, None


def instead(soak, rng):
    """For a fault that cannot be had here or now."""
    soak.instead = "kill -9 of one rank"
    return kill_rank(soak, rng)


@fault("kill -9 of all processes at once")
def kill_all(soak, rng):
    job = soak.start()
    at_work(soak, rng, job)
    job.kill()
    return job.end(), {137}, None


@fault("kill -9 of mpirun alone")
def kill_launcher(soak, rng):
    job = soak.start()
    at_work(soak, rng, job)
    job.ranks()
    job.signal_launcher(signal.SIGKILL)
    return job.end(), {137}, None


@fault("TERM or INT to mpirun")
def stop_launcher(soak, rng):
    job = soak.start()
    at_work(soak, rng, job)
    job.signal_launcher(rng.choice([signal.SIGTERM, signal.SIGINT]))
    return job.end(), set(range(1, 256)) - {134, 135, 136, 139}, None


# ---- asked to stop ----
@fault("USR1 to mpirun")
def usr1(soak, rng):
    job = soak.start()
    return stop_after_steps(soak, rng, job), {85}, "stopped by a signal after step"


@fault("USR1, TERM or INT to one rank")
def signal_rank(soak, rng):
    job = soak.start()
    reach(soak, rng, job)
    job.signal_rank(rng.randrange(2), rng.choice([signal.SIGUSR1, signal.SIGTERM, signal.SIGINT]))
    return job.end(), {85}, "stopped by a signal after step"


# ---- hangs ----
@fault("SIGSTOP of one rank, for good")
def hang(soak, rng):
    job = soak.start()
    reach(soak, rng, job)
    job.signal_rank(rng.randrange(2), signal.SIGSTOP)
    return job.end(soak.comm_timeout_s + 25), {70}, None


@fault("SIGSTOP of one rank for a second")
def pause(soak, rng):
    job = soak.start()
    reach(soak, rng, job)
    rank = rng.randrange(2)
    if job.signal_rank(rank, signal.SIGSTOP):
        time.sleep(1)
        job.signal_rank(rank, signal.SIGCONT)
    job.signal_launcher(signal.SIGUSR1)
    return job.end(), {85}, None


# ---- files ----
def flip_bit(path, at, bit):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ (1 << bit)]))


def spoil(path, how, rng):
    size = os.path.getsize(path)
    if how == "truncated":
        os.truncate(path, rng.randrange(size))
    elif how == "flipped":
        flip_bit(path, rng.randrange(size), rng.randrange(8))
    else:
        os.remove(path)


def spoil_checkpoint(soak, rng, part, how):
    whole = soak.run.checkpoints()
    if len(whole) < 2:
        return instead(soak, rng)
    step, folder = whole[0]
    names = sorted(n for n in os.listdir(folder) if n.startswith(part))
    spoil(os.path.join(folder, rng.choice(names)), how, rng)
    soak.damaged(folder)
    job = soak.start()
    code = stop_after_steps(soak, rng, job)
    return code, {85}, None if (part, how) == ("manifest", "deleted") else f"{os.path.basename(folder)} is passed over"


for _how in ("truncated", "flipped", "deleted"):
    for _part in ("shard", "manifest"):
        what = {"truncated": "truncated", "flipped": "with a flipped bit", "deleted": "deleted"}[_how]
        fault(f"newest checkpoint's {_part} {what}")(
            lambda soak, rng, part=_part, how=_how: spoil_checkpoint(soak, rng, part, how))


@fault("garbage or half a record at the end of log.jsonl")
def spoil_log(soak, rng):
    if os.path.exists(soak.run.folder("log.jsonl")):
        with open(soak.run.folder("log.jsonl"), "ab") as log:
            log.write(rng.choice([b'{"kind":"step","time":"20', rng.randbytes(3000), b'\0' * 500, b'{}{}\n[]\n']))
    job = soak.start()
    return stop_after_steps(soak, rng, job), {85}, None


@fault("evaluations and results damaged or deleted")
def spoil_evaluations(soak, rng):
    for name in ("evaluations", "result"):
        folder = soak.run.folder(name)
        for file in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            if rng.random() < 0.5:
                spoil(os.path.join(folder, file), rng.choice(["truncated", "flipped", "deleted"]), rng)
    job = soak.start()
    return stop_after_steps(soak, rng, job), {85}, None


# ---- data ----
def spoiled_data(soak, rng):
    copy = os.path.join(soak.run.scratch, "spoiled.h5")
    shutil.copyfile(soak.run.data, copy)
    spoil_pixels(copy, rng)
    return copy


def spoil_pixels(path, rng):
    """Bits all over the file but for its first part, which holds tables: every picture has some."""
    size = os.path.getsize(path)
    with open(path, "r+b") as file:
        for at in range(size // 4, size, 4096):
            file.seek(at + rng.randrange(1024))
            file.write(rng.randbytes(1))


@fault("damaged data on one rank")
def data_of_one(soak, rng):
    job = soak.start(second=soak.run.of_rank(data=spoiled_data(soak, rng)))
    return job.end(10 + soak.slack_s), {65}, "spoiled.h5"


@fault("data file damaged while the job is at work")
def data_at_work(soak, rng):
    copy = os.path.join(soak.run.scratch, "copy.h5")
    shutil.copyfile(soak.run.data, copy)
    job = soak.start(first=soak.run.of_rank(data=copy), second=soak.run.of_rank(data=copy))
    reach(soak, rng, job)
    if rng.random() < 0.5:
        spoil_pixels(copy, rng)
    else:
        os.truncate(copy, os.path.getsize(copy) // 3)
    return job.end(10 + soak.slack_s), {65}, "copy.h5"


# ---- ranks that differ ----
@fault("one rank started with another option")
def other_option(soak, rng):
    extra = rng.choice([["--weight-decay", "0.01"], ["--max-steps", "3"], ["--bucket-mb", "1"]])
    job = soak.start(second=soak.run.of_rank(extra=extra))
    return job.end(), {64}, "the ranks were started differently"


@fault("one rank lacks the data")
def no_data(soak, rng):
    absent = soak.run.of_rank(data=os.path.join(soak.run.scratch, "absent.h5"))
    job = soak.start(second=absent) if rng.random() < 0.5 else soak.start(first=absent)
    return job.end(), {66}, "absent.h5"


@fault("one rank out of memory")
def memory(soak, rng):
    limit_kb = int(soak.peak_kb * rng.uniform(0.8, 0.97))
    tight = ["bash", "-c", f'ulimit -v {limit_kb}; exec "$@"', "bash", *soak.run.of_rank()]
    job = soak.start(second=tight) if rng.random() < 0.5 else soak.start(first=tight)
    return job.end(), {70}, "memory"


# ---- disks ----
def injected(soak, what):
    """Calls are counted for each thread by itself, and every checkpoint is written by a new one."""
    return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={what.split(':')[0]}", "-e",
            f"inject={what}", *soak.run.of_rank()]


@fault("an error from fsync or rename")
def disk_error(soak, rng):
    if not soak.can_trace:
        return instead(soak, rng)
    error, call = rng.choice(["EIO", "ENOSPC", "EDQUOT"]), rng.choice(["fsync", "rename"])
    tight = injected(soak, f"{call}:error={error}:when={rng.randint(1, 4)}")
    job = soak.start(first=tight) if call == "rename" or rng.random() < 0.5 else soak.start(second=tight)
    reach(soak, rng, job)
    # to the rank itself: a launcher's signal ends at strace
    job.signal_rank(rng.randrange(2), signal.SIGUSR1)
    return job.end(), {85, 74}, None


@fault("killed inside a system call of a checkpoint")
def killed_in_call(soak, rng):
    if not soak.can_attach:
        return instead(soak, rng)
    # By now the calls that come are a checkpoint's. Each thread counts its own; each of these comes in every second one.
    call, most = rng.choice([("fsync", 2), ("rename", 1), ("unlink,unlinkat,rmdir", 3), ("mkdir", 1)])
    job = soak.start()
    reach(soak, rng, job)
    tracer = job.trace_rank(0, ["-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={rng.randint(1, most)}"])
    code = job.end()
    tracer.wait()
    return code, {137}, None


@fault("disk full")
def full_disk(soak, rng):
    if not soak.own_disk:
        return instead(soak, rng)
    job = soak.start()
    reach(soak, rng, job)
    filler = soak.run.folder("filler")
    left = rng.choice([0, 4096, 100_000, 3_000_000])
    with open(filler, "wb", buffering=0) as file:
        status = os.statvfs(soak.run.output)
        free = max(0, status.f_bavail * status.f_frsize - left)
        try:
            os.posix_fallocate(file.fileno(), 0, max(free, 1))
        except OSError:    # the job took some of it meanwhile: take what is left
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
    time.sleep(rng.uniform(0, 1))
    if rng.random() < 0.5:
        os.remove(filler)    # somebody made room
    job.signal_launcher(signal.SIGUSR1)
    try:
        return job.end(), {85, 74}, None
    finally:
        if os.path.exists(filler):
            os.remove(filler)


def deal(seed, count, only=""):
    """count of (name, function, random): all kinds (with `only` in their names) in turn, in an order drawn anew for each
    round."""
    order, dealt = random.Random(f"order {seed}"), []
    while len(dealt) < count:
        round_of = [kind for kind in KINDS if only in kind[0]]
        order.shuffle(round_of)
        dealt += round_of
    return [(name, function, random.Random(f"{seed} {i}")) for i, (name, function) in enumerate(dealt[:count])]
