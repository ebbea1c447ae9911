#!/usr/bin/env bash
# test: quick sanitizers
# blip_mpi refuses wrong command lines and configuration files: the exit code, the offending word in the message, and the
# message once and not once per rank. Also what prints and ends: --help, --version, --print-config.
# shellcheck source=tests/support/shell_test.sh
. "$(dirname "$0")/../support/shell_test.sh"

blip=$build/bin/blip_mpi
data=$scratch/coco.h5
echo "not a packed file" >"$data"

# refused CODE WORD ARGUMENT...: one message line on stderr, with the word; nothing on stdout
refused() {
    local code=$1 word=$2 rc=0
    shift 2
    "$blip" "$@" >"$scratch/out" 2>"$scratch/err" || rc=$?
    cat "$scratch/out" "$scratch/err"
    [ "$rc" -eq "$code" ] || { echo "exit code $rc, expected $code" && return 1; }
    grep -qF -- "$word" "$scratch/err" || { echo "does not name: $word" && return 1; }
    [ "$(wc -l <"$scratch/err")" -eq 1 ] || { echo "more than one line" && return 1; }
    [ ! -s "$scratch/out" ] || { echo "speaks on stdout" && return 1; }
}
# A config file with this text, refused with 64 and "run.cfg:LINE:"
config_refused() {
    local line=$1 word=$2
    printf '%b' "$3" >"$scratch/run.cfg"
    refused 64 "run.cfg:$line: $word" --config "$scratch/run.cfg" --data "$data"
}

passes "unknown option, and the one that was meant" refused 64 "--epoch; did you mean --epochs?" train --data "$data" --epoch 3
passes "unknown verb" refused 64 "'tarin'" tarin --data "$data"
passes "word that belongs to nothing" refused 64 "'extra'" train --data "$data" extra
passes "verb not in front" refused 64 "'evaluate' must be the first argument" --data "$data" evaluate
passes "repeated option: the last counts" refused 64 "--seed: 'x' is not a whole number" --data "$data" --seed 1 --seed x
passes "a name from other programs" refused 64 "--batch-size; here it is --global-batch" train --data "$data" --batch-size 8
passes "a name without a counterpart" refused 64 "mpirun -np N blip_mpi" train --data "$data" --gpus 8
passes "option without its value" refused 64 "--output needs a value" --data "$data" --output --fresh
passes "switch with a value" refused 64 "--fresh takes no value" --data "$data" --fresh=yes
passes "number out of range" refused 64 "--epochs: 0 is out of range: at least 1" --data "$data" --epochs 0
passes "not a number" refused 64 "--init-lr: 'fast' is not a number" --data "$data" --init-lr fast
passes "not one of the choices" refused 64 "--model: 'huge'" --data "$data" --model huge
passes "option of another verb" refused 64 "--epochs is not for caption" caption --init best --epochs 3 photo.jpg
passes "--evaluate against the verb" refused 64 "--evaluate contradicts" train --evaluate --data "$data"
passes "micro-batch does not divide" refused 64 "--micro-batch 32 does not divide --global-batch 100" --data "$data" --global-batch 100
passes "heads do not divide" refused 64 "--text-heads 7 does not divide --text-hidden 768" --data "$data" --text-heads 7
passes "patches do not divide" refused 64 "--patch-size 16 does not divide --image-size 100" --data "$data" --image-size 100
passes "shortest above longest" refused 64 "--min-length 21" --data "$data" --min-length 21
passes "train without --data, with an example" refused 64 "train --data coco.h5" train
passes "evaluate without --init" refused 64 "evaluate needs --init" --evaluate --data "$data"
passes "caption without pictures" refused 64 "caption --init out/best photo.jpg" caption --init best

passes "config: unknown option" config_refused 3 "there is no option 'epoch'" 'seed = 1\n# note\nepoch = 3\n'
passes "config: repeated option" config_refused 2 "seed is given twice, first in line 1" 'seed = 1\nseed = 1\n'
passes "config: out of range" config_refused 1 "dropout: 1 is out of range" 'dropout = 1\n'
passes "config: no name = value" config_refused 1 "'seed 1'" 'seed 1\n'
passes "config: absent" refused 66 "$scratch/absent.cfg" --config "$scratch/absent.cfg" --data "$data"

# The reference's configuration file, the same way.
yaml_refused() {
    local line=$1 word=$2
    printf '%b' "$3" >"$scratch/run.yaml"
    refused 64 "run.yaml:$line: $word" --config "$scratch/run.yaml" --data "$data"
}
passes "yaml: unknown key" yaml_refused 2 "there is no key 'max_epochs' in the reference's configuration; did you mean max_epoch?" 'vit: base\nmax_epochs: 3\n'
passes "yaml: wrong type" yaml_refused 1 "batch_size: 'abc' is not a whole number" 'batch_size: abc\n'
passes "yaml: syntax" yaml_refused 2 "is no YAML" 'vit: base\n  batch_size: 3\n'
passes "yaml: weights that must be downloaded" yaml_refused 1 "pretrained is https://example.org/base.pth: download it and give the file with --init PATH" 'pretrained: https://example.org/base.pth\n'
yaml_round_trip() {
    printf '%s\n' "image_root: '/export/coco/images/'" "pretrained: 'https://example.org/base.pth'" "vit: 'large'" 'vit_grad_ckpt: True' \
        'vit_ckpt_layer: 5' 'batch_size: 16' 'init_lr: 2e-6' 'image_size: 384' "prompt: 'a picture of '" 'max_epoch: 5' >"$scratch/run.yaml"
    "$blip" --config "$scratch/run.yaml" --data "$data" --init x --print-config >"$scratch/1.cfg" &&
        "$blip" --config "$scratch/1.cfg" --print-config >"$scratch/2.cfg" && cmp "$scratch/1.cfg" "$scratch/2.cfg" &&
        grep -q '^global-batch = 128 ' "$scratch/2.cfg" && grep -q '^drop-path = 0.1 ' "$scratch/2.cfg" &&
        grep -q '^vit-ckpt-layer = 5 ' "$scratch/2.cfg" && grep -q '^init = x ' "$scratch/2.cfg"
}
passes "yaml: as published; --print-config gives the same run as a file of ours" yaml_round_trip

# The message comes from one rank, the code from mpirun.
once_of_three() {
    exits_with 64 "--epoch;" mpirun -np 3 "$blip" train --data "$data" --epoch 3 || return 1
    [ "$(grep -c 'there is no option' "$scratch/.output")" -eq 1 ]
}
passes "three ranks, one message" once_of_three

passes "data file absent" exits_with 66 "$scratch/absent.h5" "$blip" train --data "$scratch/absent.h5" --output "$scratch/o"
passes "data file that is none" exits_with 65 "$data" "$blip" train --data "$data" --output "$scratch/o"
passes "weights absent" exits_with 66 "$scratch/none" "$blip" caption --init "$scratch/none" "$data"
passes "picture absent" exits_with 66 "$scratch/none.jpg" "$blip" caption --init "$scratch" "$scratch/none.jpg"

says() { # WORD ARGUMENT...: exit 0, on stdout
    local word=$1
    shift
    "$blip" "$@" >"$scratch/out" && grep -qF -- "$word" "$scratch/out"
}
passes "nothing at all: what there is" says "mpirun -np 8 blip_mpi train"
passes "help" says "evaluate" --help
overview_is_short() { [ "$("$blip" --help | wc -l)" -le 25 ] && [ "$("$blip" help | wc -l)" -le 25 ]; }
passes "the overview has 25 lines at most" overview_is_short
passes "help of train" says "--global-batch N" help train
passes "help of caption" says "photo.jpg" caption -h
passes "all options of train" says "--adam-eps X" train --help-all
passes "help of score" says "--references FILE" score --help
as_wide_as_the_terminal() {
    COLUMNS=60 "$blip" train --help-all >"$scratch/out" && ! grep -E '.{61}' "$scratch/out"
}
passes "help is as wide as the terminal" as_wide_as_the_terminal
passes "version" says "blip_mpi" --version
versions() { # PROGRAM: as lines, and as one object that says the same
    "$build/bin/$1" --version >"$scratch/lines" && "$build/bin/$1" --version --json >"$scratch/object" && python3 - "$scratch" "$1" <<'PYTHON'
import json, sys
facts = json.load(open(sys.argv[1] + '/object'))
lines = open(sys.argv[1] + '/lines').read()
assert facts['program'] == sys.argv[2] and facts['formats'].keys() == {'packed', 'packed_oldest', 'checkpoint'}, facts
for name in ('version', 'commit', 'compiler', 'mpi', 'libtorch', 'hdf5', 'cuda', 'nccl'):
    assert facts[name] and facts[name] in lines, (name, facts, lines)
PYTHON
}
for program in "$build"/bin/*; do passes "versions of ${program##*/}" versions "${program##*/}"; done
passes "a launcher's ranks say the version once" test "$(mpirun -np 2 "$blip" --version | grep -c '^blip_mpi ')" = 1
passes "a configuration from a pipe is read by both programs" exits_with 66 "$scratch/of_pipe.h5" \
    "$blip" train --output "$scratch/o" --config <(echo "data = $scratch/of_pipe.h5")
# Processor time, the least of ten: other work on the machine does not count. LibTorch's start takes 200 ms.
milliseconds() { # LIMIT COMMAND...
    local TIMEFORMAT='%3U %3S' all
    for _ in 1 2 3 4 5 6 7 8 9 10; do { time "${@:2}" >/dev/null 2>&1; } 2>>"$scratch/times"; done
    all=$(awk '{print ($1 + $2) * 1000}' "$scratch/times" | sort -g)
    rm "$scratch/times"
    echo "milliseconds: $all"
    awk -v limit="$1" 'NR == 1 {exit !($1 < limit)}' <<<"$all"
}
echo '{"1": ["a dog runs"]}' >"$scratch/references.json"
echo '[{"image_id": 1, "caption": "a dog runs"}]' >"$scratch/results.json"
if [ -z "${SANITIZE:-}" ]; then
    passes "help takes milliseconds" milliseconds 30 "$blip" --help
    passes "a usage error takes milliseconds" milliseconds 30 "$blip" train --epoch 3
    passes "scores take milliseconds" milliseconds 30 "$blip" score --references "$scratch/references.json" --results "$scratch/results.json" --metrics bleu,cider
else
    skips "what takes milliseconds" "not with a sanitizer"
fi
for config in jobs/*.cfg; do
    round_trip() {
        "$blip" --config "$config" --data "$data" --text-layers 2 --init-lr 3.3e-5 --print-config >"$scratch/1.cfg" &&
            "$blip" --config "$scratch/1.cfg" --print-config >"$scratch/2.cfg" && cmp "$scratch/1.cfg" "$scratch/2.cfg" &&
            grep -q '^text-layers = 2 ' "$scratch/2.cfg"
    }
    passes "--print-config of $config gives itself again" round_trip
done
finish
