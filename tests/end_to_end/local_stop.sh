#!/usr/bin/env bash
# test: timed
# jobs/local.sh: Ctrl-C on a terminal, in a step that takes longer than the second that mpirun would leave, is answered at
# once, and ends with a checkpoint and 85; the second one ends the ranks. What the program says of a signal by itself.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
draw_sample 12
export BLIP=$blip

# A terminal of its own for the command; presses Ctrl-C when FILE has step 3, with rank 0 stopped for PAUSE seconds, and as
# often as asked. What it says until rank 0 goes on is kept apart.
cat >"$scratch/terminal.py" <<'PYTHON'
import os, pty, select, signal, subprocess, sys, time
log, presses, pause, said = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[5], sys.argv[5:])
text = b''
def listen(seconds):
    global text
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.05)[0]:
            try:
                text += os.read(terminal, 65536)
            except OSError:
                return False
    return True
deadline = time.monotonic() + 60
while not (os.path.exists(log) and '"step":3,' in open(log).read()):
    if time.monotonic() > deadline or not listen(0.05): break
rank = [int(p) for p in subprocess.run(['pgrep', '-f', log.rsplit('/', 1)[0] + ' '], capture_output=True, text=True).stdout.split()
        if b'OMPI_COMM_WORLD_RANK=1\0' in open(f'/proc/{p}/environ', 'rb').read() + b'\0']
for one in rank: os.kill(one, signal.SIGSTOP)
for press in range(presses):
    os.write(terminal, b'\x03')
    listen(pause / presses)
open(said, 'wb').write(text)
for one in rank:
    try: os.kill(one, signal.SIGCONT)
    except ProcessLookupError: pass
while listen(1): pass
sys.stdout.buffer.write(text)
status = os.waitpid(pid, 0)[1]
sys.exit(os.waitstatus_to_exitcode(status))
PYTHON
# press PRESSES PAUSE OUTPUT
press() {
    run timeout -k 5 120 python3 "$scratch/terminal.py" "$3/log.jsonl" "$1" "$2" "$scratch/said" bash jobs/local.sh 2 train \
        --data "$data" --output "$3" "${small[@]}" --micro-batch 2 --max-steps 100000 --epochs 100000 --no-evaluate
}
new_case "Ctrl-C is answered at once; a step of 3 s is finished, and a checkpoint written"
press 1 3 "$scratch/out"
exits 85
grep -qF "stopping after this step" "$scratch/said" || fail "jobs/local.sh did not say so at once"
grep -qF "blip_mpi: stopping: this step is finished, a checkpoint written" "$scratch/said" || fail "the program did not say so at once"
[ -n "$(last_checkpoint "$scratch/out")" ] || fail "no checkpoint"
new_case "the same command goes on from there"
train 2 "$scratch/out" --epochs 100000 --max-steps 100000 --no-evaluate --dry-run
says "would resume after step"
new_case "a second Ctrl-C ends the ranks"
press 2 4 "$scratch/twice"
[ "$status" -ne 0 ] && [ "$status" -ne 124 ] || fail "exit $status"
says "ending the ranks"
[ -z "$(pgrep -f "$scratch/twice ")" ] || fail "left: $(pgrep -af "$scratch/twice ")"
new_case "TERM to mpirun, as its Ctrl-C is for the ranks: the program tells of it and of the way around"
start_train 2 "$scratch/term" --max-steps 100000 --epochs 100000 --no-evaluate
wait_for 60 step_logged "$scratch/term" 3
kill -TERM "$job"
finish_job 30
says "after Ctrl-C it kills the ranks in a second; jobs/local.sh"
new_case "wrong words: how it is called"
run jobs/local.sh train
exits 64; says "jobs/local.sh RANKS train"
run env MPIRUN=/nope/mpirun jobs/local.sh 2 train
exits 66; says "MPIRUN=/nope/mpirun: no such program"
summary
