#!/usr/bin/env bash
# test: limit=3600
# All readers of strangers' files (pictures, weights, packed data, captions in JSON, tars, manifests, configuration) and the captions'
# tokenizer under libFuzzer, ASan and UBSan, FUZZ_SECONDS (60) each, as many at a time as there are cores.
# A finding fails, and its input is kept. Needs clang with its run-time library. Takes what other tests leave of the processors.
# FAULTS_SEED (1) is where their draws begin; 0: anywhere, as in the long form.
#   FUZZ_SECONDS=1800 FAULTS_SEED=0 tests/run.py faults/fuzz_readers.sh    # FUZZ_CORPUS=DIR keeps what the runs learn
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
renice -n 19 $$ >/dev/null
cxx=${FUZZ_CXX:-clang++}
seconds=${FUZZ_SECONDS:-60}
seed=${FAULTS_SEED:-$([ "${FAULTS:-short}" = short ] && echo 1 || echo 0)}
findings=$build/fuzz/findings
corpus=${FUZZ_CORPUS:-$scratch/corpus}

echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' >"$scratch/try.cpp"
if ! "$cxx" -fsanitize=fuzzer,address,undefined -o "$scratch/try" "$scratch/try.cpp" 2>"$scratch/try.log"; then
    skips "fuzzing the readers of files" "no $cxx with libFuzzer: env/setup.sh"
    finish
fi
# A make of its own: settings of the one that runs the tests must not reach it.
if ! env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES make --no-print-directory -s BUILD="$build" FUZZ_CXX="$cxx" \
    fuzzers >"$scratch/make.log" 2>&1; then
    cat "$scratch/make.log"
    passes "the fuzzers are built" false
    finish
fi
mkdir -p "$findings"
python3 tests/faults/fuzz/make_seeds.py tests/unit/weights/data "$scratch/seeds" || exit 70
mkdir -p "$scratch/seeds/ptb"
split -l 4 tests/reference/ptb_lines.txt "$scratch/seeds/ptb/"
mkdir -p "$scratch/seeds/packed"
mkdir -p "$scratch/seeds/pictures"
cp tests/golden/data/pictures/* "$scratch/seeds/pictures"
for form in raw jpeg; do "$build/fuzz/packed_seed" $form "$scratch/seeds/packed/$form" || exit 70; done
export TMPDIR=$scratch    # where fuzzers leave their links and inputs

# fuzz NAME LONGEST_INPUT: in the background, its words into a log
fuzz() {
    local leaks=1
    [ "$1" != packed ] || leaks=0 # HDF5's library loses some memory on damaged files
    mkdir -p "$corpus/$1"
    ASAN_OPTIONS=detect_leaks=$leaks "$build/fuzz/$1" -seed="$seed" -max_total_time="$seconds" -max_len="$2" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
        -dict="tests/faults/fuzz/$1.dict" -artifact_prefix="$findings/$1-" "$corpus/$1" "$scratch/seeds/$1" \
        >"$scratch/$1.log" 2>&1 &
}
# no_finding NAME PID
no_finding() {
    wait "$2" && return 0
    grep -vE 'NEW|REDUCE|pulse' "$scratch/$1.log" | tail -n 60
    echo "a finding in $1: the input is $(ls -t "$findings/$1"-* 2>/dev/null | head -n 1); again: $build/fuzz/$1 FILE"
    return 1
}
cores=$(nproc)
names=(pictures packed pth annotations config manifest safetensors ptb tables clip tars)
declare -A longest=([pictures]=8192 [packed]=32768 [pth]=16384 [annotations]=4096 [config]=4096 [manifest]=4096 [safetensors]=4096 [ptb]=4096 [tables]=2048 [clip]=2048 [tars]=16384)
declare -A claims=([pictures]="pictures: no input crashes the reader of any form, or makes it give other sizes than its header"
    [packed]="packed files: no input crashes their reader, or is read but for what it says"
    [pth]="PyTorch's .pth: no input crashes its reader" [annotations]="captions in JSON: no input breaks a reader, or leads it out of its folder"
    [config]="config files, the reference job's among them: no input breaks their reader"
    [manifest]="manifests: no input breaks their reader" [safetensors]="safetensors: no input crashes its reader"
    [clip]="a CLIP model's configuration, vocabulary and captions: no input breaks a reader"
    [tars]="WebDataset's tars: no input breaks their reader, or leads it out of its folder"
    [ptb]="captions: no input breaks the tokenizer" [tables]="METEOR's tables, document frequencies and indexes of weights: no input breaks a reader")
for ((first = 0; first < ${#names[@]}; first += cores)); do
    wave=("${names[@]:first:cores}") pids=()
    for name in "${wave[@]}"; do
        fuzz "$name" "${longest[$name]}"
        pids+=($!)
    done
    for i in "${!wave[@]}"; do passes "${claims[${wave[i]}]}" no_finding "${wave[i]}" "${pids[i]}"; done
done
for name in "${names[@]}"; do
    echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$scratch/$name.log") inputs in $seconds s, $(
        sed -n 's/.*cov: \([0-9]*\).*/\1/p' "$scratch/$name.log" | tail -n 1) edges covered"
done
# It would find something: a reader that crashes on an input which only the fuzzer's hints lead to.
cat >"$scratch/planted.cpp" <<'CODE'
#include <cstdlib>
#include <cstring>
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, unsigned long size) {
    if (size >= 4 && std::memcmp(data, "PK\3\4", 4) == 0) std::abort();
    return 0;
}
CODE
planted_is_found() {
    "$cxx" -fsanitize=fuzzer,address -o "$scratch/planted" "$scratch/planted.cpp" || return 1
    ! "$scratch/planted" -max_total_time=30 -artifact_prefix="$scratch/planted-" >/dev/null 2>&1 &&
        [ -n "$(compgen -G "$scratch/planted-crash-*")" ]
}
passes "a planted crash is found and its input kept" planted_is_found
finish
