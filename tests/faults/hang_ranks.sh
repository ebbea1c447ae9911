#!/usr/bin/env bash
# test: timed
# A rank that stops or hangs, wherever it is, ends the whole job seconds after --comm-timeout; the message comes once and
# tells which rank is missing, in which operation, and what every rank was doing.
# shellcheck source=tests/support/run_lib.sh
. "$(dirname "$0")/../support/run_lib.sh"
draw_sample 24

# Interposed on one rank, as FAULT says: score_busy, the first logarithm that is not the main thread's (scoring, when
# nothing is trained) computes for 6 s; read_hangs, a read of pixels after the 40th never ends; read_slow, all take 150 ms.
cat >"$scratch/interpose.cpp" <<'CODE'
#include <dlfcn.h>
#include <unistd.h>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
static std::string fault() { return std::getenv("FAULT") ? std::getenv("FAULT") : ""; }
static void busy_once() {
    static const bool asked_for = fault() == "score_busy";    // weights are drawn with a million logarithms
    static std::atomic<bool> first{true};
    if (!asked_for || gettid() == getpid() || !first.exchange(false)) return;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(6);
    if (FILE* marker = std::fopen(std::getenv("MARKER"), "w")) std::fclose(marker);
    while (std::chrono::steady_clock::now() < end) {}
}
extern "C" double log(double x) {
    busy_once();
    static const auto real = reinterpret_cast<double (*)(double)>(dlsym(RTLD_NEXT, "log"));
    return real(x);
}
extern "C" double exp(double x) {
    busy_once();
    static const auto real = reinterpret_cast<double (*)(double)>(dlsym(RTLD_NEXT, "exp"));
    return real(x);
}
extern "C" ssize_t pread64(int file, void* to, size_t bytes, off64_t at) {
    static std::atomic<int> reads{0};
    if (bytes > 1000 && fault() == "read_hangs" && ++reads > 40) std::this_thread::sleep_for(std::chrono::hours(1));
    if (bytes > 1000 && fault() == "read_slow") std::this_thread::sleep_for(std::chrono::milliseconds(150));
    return reinterpret_cast<ssize_t (*)(int, void*, size_t, off64_t)>(dlsym(RTLD_NEXT, "pread64"))(file, to, bytes, at);
}
extern "C" ssize_t pread(int file, void* to, size_t bytes, off_t at) { return pread64(file, to, bytes, at); }
CODE
if ! g++ -O1 -shared -fPIC -o "$scratch/interpose.so" "$scratch/interpose.cpp" -ldl >"$output" 2>&1; then
    new_case "interposed functions compile"
    fail "g++"
    summary
fi
cat >"$scratch/launch" <<'LAUNCH'
#!/usr/bin/env bash
# The rank in FAULTY runs with the interposed functions.
[ "$OMPI_COMM_WORLD_RANK" != "${FAULTY:-none}" ] || export LD_PRELOAD=$INTERPOSE
exec "$@"
LAUNCH
chmod +x "$scratch/launch"
export INTERPOSE=$scratch/interpose.so MARKER=$scratch/marker
timeout_s=2
# start_faulty RANKS ARGUMENT...: with FAULT and FAULTY of the environment
start_faulty() { start mpirun -np "$1" "$scratch/launch" "$blip" "${@:2}" --comm-timeout $timeout_s; }
common=(--data "$data" "${small[@]}" --micro-batch 2)

# ends RANK SECONDS: the job ends with 70 that soon, without a rank left; the message comes once and calls that rank late
ends() {
    local ranks pid
    ranks=$(ranks_of "$job")
    finish_job "$2"
    exits 70
    said_once "(--comm-timeout)"
    said_once "What each rank was doing:"
    grep -qx "  What each rank was doing:" "$output" || fail "the table of the ranks does not begin on a line of its own"
    says "; late: rank $1:"
    for pid in $ranks; do # mpirun may be gone a moment before
        for _ in $(seq 60); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.1
        done
        ! kill -0 "$pid" 2>/dev/null || fail "rank process $pid is still there"
        leaves_nothing_like "/dev/shm/blip_mpi-$pid-*"
    done
}
# row RANK PATTERN: that rank's line of the table
row() { grep -E "^  $1 +$(hostname) " "$output" | grep -qE -- "$2" || fail "rank $1's line lacks: $2"; }

# stops RANK RANKS NAME: SIGSTOP in training, whatever the rank is doing
stops() {
    new_case "$3"
    start_train "$2" "$scratch/stop$1$2" --epochs 500 --no-evaluate --comm-timeout $timeout_s
    wait_for 60 step_logged "$scratch/stop$1$2" 5
    kill -STOP "$(rank_of "$job" "$1")"
    ends "$1" 12
    row "$1" "stopped for [0-9]+ s .*<- late"
    grep -qE "has waited $timeout_s s for '[a-z]+ [a-z0-9 ]+'" "$output" || fail "the operation is not named"
    row $(($2 - 1 - $1)) "running +[0-9]+, [0-9]+ .*waiting for '" # of 2 ranks the other, of 3 the first or last
}
stops 1 2 "the second of two ranks is stopped"
stops 0 3 "the first of three ranks is stopped"

new_case "a rank is stopped while an epoch is captioned"
start_train 2 "$scratch/captions" --epochs 1 --eval-batch 1 --num-beams 16 --max-length 39 --comm-timeout $timeout_s
wait_for 60 grep -q "own work of the ranks" "$output"
kill -STOP "$(rank_of "$job" 1)"
ends 1 40    # rank 0 makes its own captions first
row 1 "stopped for"

new_case "a rank is stopped while a checkpoint is written at each step"
start_train 3 "$scratch/saving" --epochs 500 --no-evaluate --checkpoint-every 1 --comm-timeout $timeout_s
wait_for 60 whole_checkpoint "$scratch/saving" 3
kill -STOP "$(rank_of "$job" 1)"
ends 1 12
row 1 "stopped for"

new_case "rank 0 is stopped while it scores and the others wait"
export FAULT=score_busy FAULTY=0
rm -f "$MARKER"
start_train 2 "$scratch/scored" --epochs 1 --max-steps 2 --no-evaluate
finish_job 60
start_faulty 2 evaluate --data "$data" --init "$scratch/scored" --output "$scratch/scores1" --threads 1 --split val
wait_for 60 test -e "$MARKER"
kill -STOP "$(rank_of "$job" 0)"
ends 0 12
row 0 "stopped .*scoring"
row 1 "waiting for 'scoring on rank 0'"

new_case "scoring may take longer than --comm-timeout as long as it computes"
rm -f "$MARKER"
start_faulty 2 evaluate --data "$data" --init "$scratch/scored" --output "$scratch/scores2" --threads 1 --split val
finish_job 60
exits 0
[ -e "$MARKER" ] || fail "rank 0 was not slow"
[ "$waited" -ge 6 ] || fail "took $waited s only"
[ -s "$scratch/scores2/evaluate.json" ] || fail "no scores"

new_case "a file system that hangs on one rank: that rank is reading a batch"
export FAULT=read_hangs FAULTY=2
start_faulty 3 train "${common[@]}" --output "$scratch/reads" --epochs 500 --no-evaluate
ends 2 60
row 2 "running +[0-9]+, [0-9]+ +reading a batch +[0-9.]+ s  <- late"
says "rank 2 on $(hostname), asked by a rank that waits: stack of the main thread:"

new_case "the same without other ranks: the process ends itself"
export FAULTY=0
start_faulty 1 train "${common[@]}" --output "$scratch/alone" --epochs 500 --no-evaluate
finish_job 60
exits 70
said_once "rank 0 on $(hostname) is stuck and is ended"; says "reading a batch for"; says "stack of the main thread:"

new_case "a rank that never gets to MPI_Init: the others end"
cat >"$scratch/absent" <<'LAUNCH'
#!/usr/bin/env bash
[ "$OMPI_COMM_WORLD_RANK" != 1 ] || kill -STOP $$
exec "$@"
LAUNCH
chmod +x "$scratch/absent"
start mpirun -np 2 "$scratch/absent" "$blip" train "${common[@]}" --output "$scratch/absents" --comm-timeout $timeout_s
finish_job 30
exits 70
said_once "is stuck and is ended"; says "rank 0 on $(hostname)"; says "starting MPI"; says "; stopped: rank 1 (pid "

new_case "SIGUSR2 to mpirun: each rank tells what it is doing, and goes on"
start_train 2 "$scratch/asked" --epochs 3 --no-evaluate
wait_for 60 step_logged "$scratch/asked" 3
kill -USR2 "$job"
finish_job 60
exits 0
for rank in 0 1; do
    grep -qE "rank $rank on $(hostname): epoch [0-9], after step [0-9]+: [a-z ]+.* for [0-9.]+ s" "$output" || fail "rank $rank is silent"
done

new_case "a rank that reads slowly is named, with what is slow; the others wait for it"
export FAULT=read_slow FAULTY=1
start_faulty 3 train "${common[@]}" --output "$scratch/slow" --epochs 1 --no-evaluate --prefetch 1
finish_job 60
exits 0
is "$(grep -c "warning: rank 1 on $(hostname) is slow: .*, mostly reading batches" "$output")" 1 "warnings"
log_query "
ranks = [e for e in events[0] if e['kind'] == 'ranks']
assert [r['epoch'] for r in ranks] == [0], ranks
for r in ranks:
    assert r['slowest_rank'] == 1 and r['slowest_phase'] == 'reading batches' and r['much_slower'], r
    assert r['min_ms'] <= r['median_ms'] <= r['max_ms'] and len(r['ranks']) == 3, r" "$scratch/slow"

new_case "a rank that is short of processor time is named"
unset FAULT FAULTY
start_train 3 "$scratch/starved" --epochs 2 --no-evaluate
wait_for 60 step_logged "$scratch/starved" 1
starved=$(rank_of "$job" 2)
while kill -STOP "$starved" 2>/dev/null; do # most of the time
    sleep 0.12
    kill -CONT "$starved" 2>/dev/null
    sleep 0.02
done
finish_job 60
exits 0
says "warning: rank 2 on $(hostname) is slow"
summary
