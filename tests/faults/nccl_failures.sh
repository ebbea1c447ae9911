#!/usr/bin/env bash
# What goes wrong with NCCL ends the job within seconds, with a message that says who, where, what and what to do: on the
# fakes of tests/nccl, and with the real NCCL where it finds no GPU.
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
job=$build/tests/nccl_job
host=$(hostname)
export TMPDIR=$scratch
if [ ! -x "$job" ]; then
    skips "failures of NCCL" "built without CUDA"
    finish
fi
# job RANKS FAKE_NCCL ARGUMENT...: at most 30 s; sets $took, in seconds
job() {
    local begin=$SECONDS
    run timeout -k 5 30 env "FAKE_NCCL=$2" mpirun -np "$1" "$job" "${@:3}"
    took=$((SECONDS - begin))
}
# blames RANK: that rank's message names it, its host and NCCL's remedy
blames() { says "rank $1 on $host"; says "NCCL_DEBUG=INFO"; }
within() { [ "$took" -le "$1" ] || fail "took $took s"; }

new_case "nothing goes wrong"
for np in 1 2 3; do
    job $np "" 20
    exits 0; says "done"
done
leaves_nothing_like "$scratch/fake_nccl_*"

new_case "another version than the program was built for: 66, both versions and the library's path, once"
job 2 version 20
exits 66; said="NCCL 2.19.3 was loaded from "; says "$said"; says "/fakes/nccl/libnccl.so.2"; says "was built for "
is "$(grep -cF "$said" "$output")" 1 "messages"
job 3 version@2 20
exits 66; says "rank 2: $host: NCCL 2.19.3"

new_case "rank 0 cannot open its port: nobody waits for its id"
job 3 unique_id 20
exits 70; blames 0; says "no fake network"; within 10

new_case "the connection fails, on rank 0 or another, at once or later"
for fault in init@0 init@2 init_at_once@0 init_at_once@1; do
    job 3 $fault 20
    exits 70; blames "${fault#*@}"; says "connect the GPUs of all ranks"; says "no fake device"; within 10
done

new_case "two ranks on one GPU: what to do"
job 2 shared_gpu 20
exits 70; says "rank 0 and rank 1 both on CUDA device 41000"; says "start as many ranks on a host as it has GPUs"; within 10

new_case "a connection that never comes about: the deadline"
job 2 init_hangs@1 2
exits 70; says "has waited 2 s for 'connect the GPUs of all ranks' (--comm-timeout) on GPU"; within 10

new_case "a collective fails in the background: the rank it happens to and those that notice tell it"
job 3 collective@1 20
exits 70; within 10
grep -qE "rank 1 on $host: NCCL failed in '.*' on GPU 1: a fake NCCL's error \(a fake cable was pulled\)|rank [02] on $host: NCCL failed in '.*' on GPU [02]: remote process exited or there was a network error \(connection closed by a fake peer\)" "$output" || fail "no message of an asynchronous error"

new_case "a collective of several is refused at once: the others are ended with it, and NCCL's reason is told"
job 3 gather_at_once@2 20
exits 70; blames 2; says "NCCL failed in 'weights 7' on GPU 2"; says "no fake gathers"; within 10

new_case "a rank that never comes: the others' deadline, by rank, host and operation"
job 2 "" 2 absent 1
exits 70; says "rank 0 on $host has waited 2 s for 'end of a step' (--comm-timeout)"; says "NCCL_DEBUG=INFO"; within 12

new_case "NCCL's abort hangs, too: the second deadline"
job 2 "abort_hangs" 2 absent 1
exits 70; says "rank 0 on $host has waited 2 s for 'end of a step'"; within 14

new_case "and so does the unwinding: the process ends itself"
job 2 collective@1 2 hang 1
exits 70; within 14
job 1 collective 2 hang 0
exits 70; says "the process did not end by itself"; says "a fake cable was pulled"; within 14

new_case "a rank with an error of its own in mid-step is not kept by its collectives"
job 3 "" 20 data_error 1
exits 65; says "data.h5: picture 3 is broken"; within 10

new_case "the end fails: told, not hung"
job 2 finalize@1 3
exits 70; says "'end NCCL'"; within 12

new_case "the real NCCL without a GPU: every rank that speaks names itself, host and remedy"
if ldconfig -p 2>/dev/null | grep -qF libcuda.so.1; then
    skip_case "this machine has a driver"
else
    job=$build/tests/nccl_job_real
    ldd "$job" | grep -F libnccl.so.2 | grep -qF /fakes/ && fail "the fake NCCL is loaded, not the real one"
    for np in 1 2; do
        job $np "" 20
        exits 70; says "connect the GPUs of all ranks"; within 20
        grep -qE "rank [01] on $host: NCCL failed in" "$output" || fail "no rank"
        says "NCCL_DEBUG=INFO"
        [ "$(grep -c "NCCL failed in" "$output")" -le "$np" ] || fail "more messages than ranks"
    done
fi
summary
