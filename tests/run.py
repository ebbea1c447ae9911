#!/usr/bin/env python3
"""Runs the test programs of BUILD (default build) and the test scripts, some at a time. Called by make.

    tests/run.py [--tier quick|rest] [PATTERN]

PATTERN: only names in which this regular expression is found (unit_text, golden, ranks, faults, a|b ...), of either tier;
PATTERN/FILTER hands FILTER to Boost.Test (--run_test), e.g. golden/wordpiece*.

What a test is stands in the test: programs are quick; a script may have a line `# test: WORD...` below its first, with
  quick        a part of `make test`, not of `make test-all` alone
  timed        measures time, or signals at a moment: never beside another such
  sanitizers   runs under SANITIZE=1 too
  limit=N      killed after N seconds in place of 900
A test must end with "N passed, N failed, N skipped"; a missing summary, a crash or an exit code is a failure. The output of one
that fails is shown in full, of others what was skipped or compared with golden data. The last line sums them; exit 1 if
anything failed. The longest go first, by the last run's times (BUILD/tests/seconds.json).

FAULTS=long: scripts that have a long form take it. SANITIZE=1 or thread: BUILD is of such a build (tests/sanitize).
REQUIRE_GPU=1: tests skipped for want of a GPU fail. (REQUIRE_SLURM=1 is read by tests/slurm.)
"""
import argparse
import dataclasses
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

SCRIPTS = ('end_to_end', 'faults', 'setup', 'slurm')    # folders of tests/
SUMMARY = re.compile(r'^(\d+) passed, (\d+) failed, (\d+) skipped$', re.M)
GRACE_S = 10
BUILD = pathlib.Path(os.environ.get('BUILD', 'build'))
SANITIZE = os.environ.get('SANITIZE', '')


@dataclasses.dataclass
class Test:
    name: str
    command: list
    words: set = dataclasses.field(default_factory=lambda: {'quick', 'sanitizers'})
    limit_s: int = 900
    seconds: float = 0    # of the last run
    process: subprocess.Popen = None
    log: object = None
    start: float = 0
    stopping: bool = False

    def begin(self):
        self.log = tempfile.TemporaryFile()
        self.start = time.monotonic()
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT,
                                        start_new_session=True)

    def kill(self, number):
        """All of its processes, but for ranks, which mpirun has put into groups of their own and ends itself."""
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    def ended(self):
        over_s = time.monotonic() - self.start - self.limit_s
        if self.process.poll() is None and over_s > 0:
            if not self.stopping or over_s > GRACE_S:
                self.kill(signal.SIGKILL if self.stopping else signal.SIGTERM)
            self.stopping = True
        return self.process.returncode is not None

    def report(self):
        """Prints what a reader wants to know; [passed, failed, skipped]."""
        self.seconds = time.monotonic() - self.start
        self.log.seek(0)
        text = self.log.read().decode(errors='replace')
        counts = [int(number) for number in (SUMMARY.findall(text) or [(0, 1, 0)])[-1]]
        code = self.process.returncode
        if code and not counts[1]:
            counts[1] = 1
        if os.environ.get('REQUIRE_GPU') == '1':
            without = len(re.findall(r'^skipped: .*\(no GPU', text, re.M))
            counts[1:] = counts[1] + without, counts[2] - without
        if counts[1]:
            late = f', out of time, limit {self.limit_s} s' if self.stopping else ''
            print(f'---- {self.name} (exit {code}{late}) ----', text.rstrip('\n'), '----', sep='\n')
        else:
            for line in re.findall(r'^(?:skipped|compared): .*', text, re.M):
                print(line)
        print(f'{self.name:34} {counts[0]:4} passed {counts[1]:3} failed {counts[2]:3} skipped {self.seconds:5.0f} s', flush=True)
        return counts


def skipping(name, what, reason):
    return Test(name, ['printf', '%s\n', f'skipped: {what} ({reason})', '0 passed, 0 failed, 1 skipped'])


def programs(boost):
    folder = BUILD / 'tests'
    alone = ['env', 'OMP_NUM_THREADS=1']    # not for the scripts: nproc obeys it
    ranks = ['bash', '-c', '. env/mpi.sh; exec mpirun -np "$@"', 'mpirun']
    def there(name):
        return os.access(folder / name, os.X_OK)
    for path in sorted(folder.glob('unit_*')):
        yield Test(path.name, [*alone, path, *boost])
    if there('golden'):
        yield Test('golden', [*alone, folder / 'golden', '--log_level=message', *boost])    # says how much was compared
    for count in (2,) if SANITIZE else (1, 2, 3):
        if there('ranks'):
            yield Test(f'ranks np={count}', [*alone, *ranks, str(count), folder / 'ranks', *boost])
        for name in ('nccl_fake', 'nccl_gpu'):
            if there(name):
                yield Test(f'{name} np={count}', [*ranks, str(count), folder / name, *boost])
    if there('gpu'):
        yield Test('gpu', [folder / 'gpu', *boost], limit_s=1800)
        yield Test('fake_cuda', [*alone, folder / 'fake_cuda', *boost])
        yield Test('roofline', [*alone, folder / 'roofline', '--check'])
    else:
        yield skipping('gpu', 'tests of the GPU, real and pretended', 'no GPU code: built without CUDA')


def scripts():
    for path in sorted(path for folder in SCRIPTS for path in pathlib.Path('tests', folder).glob('*.sh')):
        name = str(path.relative_to('tests'))
        words = set(' '.join(re.findall(r'^# test: (.*)', path.read_text(), re.M)).split())
        limits = [word for word in words if word.startswith('limit=')]
        unknown = words - {'quick', 'timed', 'sanitizers', *limits}
        if unknown:
            sys.exit(f'{path}: `# test:` knows no {" ".join(sorted(unknown))}')
        if SANITIZE and not (SANITIZE == '1' and 'sanitizers' in words):
            yield dataclasses.replace(skipping(name, name, 'not for a build with sanitizers'), words=words)
            continue
        limit_s = 7200 if os.environ.get('FAULTS', 'short') != 'short' else int(limits[0][6:]) if limits else 900
        yield Test(name, ['bash', path], words, limit_s)


def chosen(pattern, tier):
    head, slash, rest = pattern.partition('/')
    is_filter = slash and not any(folder in head for folder in SCRIPTS)
    boost = [f'--run_test={rest}'] if is_filter else []
    wanted = re.compile(head if is_filter else pattern)
    tests = [test for test in (*programs(boost), *scripts()) if wanted.search(test.name)]
    if tier and not pattern:
        tests = [test for test in tests if ('quick' in test.words) == (tier == 'quick')]
    return tests


def run(tests):
    """All of them, the longest first and those that are timed before others, as only one of these may run; the counts' sums."""
    cores = len(os.sched_getaffinity(0))
    at_a_time = max(2, cores // 4)    # a test has up to three ranks
    sums, running = [0, 0, 0], []
    waiting = sorted(tests, key=lambda test: ('timed' not in test.words, -test.seconds))
    try:
        while waiting or running:
            for test in [test for test in running if test.ended()]:
                running.remove(test)
                sums = [a + b for a, b in zip(sums, test.report())]
            busy = any('timed' in test.words for test in running)
            fit = [test for test in waiting if not (busy and 'timed' in test.words)]
            if fit and len(running) < at_a_time:
                fit[0].begin()
                waiting.remove(fit[0])
                running.append(fit[0])
            else:
                time.sleep(0.05)
    finally:    # nothing is left running, on a signal or an error
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGKILL):
            for test in running:
                test.kill(number)
            deadline = time.monotonic() + GRACE_S
            while time.monotonic() < deadline and any(test.process.poll() is None for test in running):
                time.sleep(0.05)
    return sums


def set_environment():
    """What all programs and scripts see."""
    os.environ.update(BLIP_ROOT=os.getcwd(), BLIP_BUILD=str(BUILD), BOOST_TEST_COLOR_OUTPUT='no', BOOST_TEST_CATCH_SYSTEM_ERRORS='yes',
                      # threads that wait for one another, spinning, on cores that another program has: four times as long
                      OMP_WAIT_POLICY='passive')
    of_sanitizers = {
        '': {},
        # detect_odr_violation: Open MPI's plugins define the same names on purpose.
        '1': {'ASAN_OPTIONS': 'detect_odr_violation=0:strict_string_checks=1',
              'LSAN_OPTIONS': f'suppressions={os.getcwd()}/tests/sanitize/leaks.txt:print_suppressions=0',
              'UBSAN_OPTIONS': 'print_stacktrace=1'},
        'thread': {'TSAN_OPTIONS': f'suppressions={os.getcwd()}/tests/sanitize/races.txt:print_suppressions=0:second_deadlock_stack=1:halt_on_error=0'},
    }
    for name, value in of_sanitizers[SANITIZE].items():
        os.environ[name] = ':'.join(filter(None, (value, os.environ.get(name))))
    if SANITIZE:
        os.environ['OMP_NUM_THREADS'] = '1'    # LibTorch's own threads are not instrumented


def main():
    parser = argparse.ArgumentParser(description='Runs tests; see the top of this file.')
    parser.add_argument('--tier', choices=('quick', 'rest'))
    parser.add_argument('pattern', nargs='?', default='')
    arguments = parser.parse_args()
    os.chdir(pathlib.Path(__file__).parent.parent)
    # Handled here, they are not ignored in tests, whatever this program was started with.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    set_environment()

    times_file = BUILD / 'tests' / 'seconds.json'
    try:
        times = json.loads(times_file.read_text())
    except (OSError, ValueError):
        times = {}
    tests = chosen(arguments.pattern, arguments.tier)
    for test in tests:
        test.seconds = times.get(test.name, 0)
    start = time.monotonic()
    passed, failed, skipped = run(tests)
    if not tests:
        print(f'no test matches "{arguments.pattern}"')
        failed = 1
    times.update((test.name, round(test.seconds, 1)) for test in tests)
    times_file.parent.mkdir(parents=True, exist_ok=True)
    times_file.write_text(json.dumps(times, indent=0, sort_keys=True))
    print(f'{len(tests)} tests in {time.monotonic() - start:.0f} s')
    print(f'{passed} passed, {failed} failed, {skipped} skipped')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
