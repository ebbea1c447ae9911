#!/usr/bin/env bash
# Plants one violation of each rule in a small tree and expects check_layers.py to name each, and nothing in a clean tree.
# Called by run.sh.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/env/make"
cp "$here/../../env/make/layers.mk" "$tree/env/make/"
plant() { # FILE LINE...: a file with a first comment and these lines
    mkdir -p "$tree/$(dirname "$1")"
    { echo '// A planted file.'; printf '%s\n' "${@:2}"; } >"$tree/$1"
}
# Each permission is used once.
while read -r layer names; do
    lines=()
    for name in $names; do lines+=("#include \"blip/$name/any.h\""); done
    plant "src/$layer/permitted.cpp" "${lines[@]}"
done < <(sed -nE 's/^USES_(\w+) *:= */\1 /p' "$tree/env/make/layers.mk")
plant src/train/good.cpp '#include <ATen/core/Tensor.h>' '#include "blip/tasks/task.h"' '#include "blip/train/trainer.h"'
plant src/comm/good.cpp '#include <mpi.h>'
plant src/model/good.cu '#include "blip/base/cuda_launch.cuh"'
plant src/model/good_cuda.cpp '#include <c10/cuda/CUDAStream.h>'
plant data_prep/good.cpp '#include "blip/data/packed/writer.h"'
plant include/blip/base/good.h '#pragma once'
plant src/text/word_a.cpp 'int a();'
plant src/text/word_b.cpp 'int b();'
if ! python3 "$here/check_layers.py" "$tree"; then
    echo "a clean tree was refused"
    exit 1
fi
expect() { # MESSAGE FILE LINE...: this file alone is refused, for this reason
    plant "${@:2}"
    local said
    said=$(python3 "$here/check_layers.py" "$tree" || true)
    if [[ $said != *"$1"* || $(wc -l <<<"$said") != 1 ]]; then
        printf 'expected "%s" for %s, got: %s\n' "$1" "$2" "$said"
        exit 1
    fi
    rm "${tree:?}/$2"
}
expect 'may not include' src/base/bad.cpp '#include "blip/data/packed/dataset.h"'
expect 'may not include' include/blip/model/bad.h '#pragma once' '#include "blip/train/trainer.h"'
expect 'may not include' data_prep/bad.cpp '#include "blip/comm/communicator.h"'
expect 'is private to' src/generate/bad.cpp '#include "src/model/secret.h"'
expect 'knows no task' src/train/bad.cpp '#include "blip/tasks/caption/loss.h"'
expect 'belongs to comm' src/train/bad.cpp '#include <mpi.h>'
expect 'belongs to options' src/app/bad.cpp '#include <boost/program_options.hpp>'
expect 'belongs to options' src/app/bad.cpp '#include <yaml-cpp/yaml.h>'
expect 'belongs to data' tests/golden/bad_test.cpp '#include <hdf5.h>'
expect 'is free of LibTorch' src/metrics/bad.cpp '#include <ATen/core/Tensor.h>'
expect '27 s a file' src/model/bad.cpp '#include <torch/torch.h>'
expect 'exit() in a library' src/text/bad.cpp 'void f() {' '    std::exit(1);' '}'
expect 'no #pragma once' include/blip/text/bad.h 'int f();'
expect 'is not in the table' src/nowhere/bad.cpp 'int f();'
expect 'is for .cu' src/model/bad.cpp '#include <cuda_runtime_api.h>'
expect 'is for .cu' src/model/bad_nocuda.cpp '#include "blip/base/cuda.h"'
expect 'device code is free of LibTorch' src/model/bad.cu '#include <ATen/core/Tensor.h>'
expect 'reaches the optimizer' src/app/verbs/caption.cpp '#include "blip/train/trainer.h"'
expect 'in place of the prefix' src/text/word_c.cpp 'int c();'
# Its only file uses none of the layer's permissions.
expect 'one of base: take it out' src/report/permitted.cpp 'int p();'
