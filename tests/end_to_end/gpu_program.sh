#!/usr/bin/env bash
# test: quick
# Whole runs on a GPU: env/run_gpu_tests.sh with the programs of the build folder, laid out as the bundle is. The device
# code's own tests are tests/gpu.
# shellcheck disable=SC2034  # read there
uses_gpu=1
# shellcheck source=tests/support/shell_test.sh
. "$(dirname "$0")/../support/shell_test.sh"
layout=$scratch/layout
mkdir -p "$layout/bin" "$layout/share/blip_mpi" "$layout/tests"
for program in "$root/$build"/bin/*; do
    ln -s "$program" "$layout/bin/"
done
[ ! -x "$root/$build/tests/gpu" ] || ln -s "$root/$build/tests/gpu" "$layout/bin/gpu_tests"
ln -s "$(command -v mpirun)" "$layout/bin/mpirun"
ln -s "$root/tests/tolerances.h" "$layout/tests/"
ln -s "$root/jobs" "$layout/jobs"
cp "$root/data_prep/bert-base-uncased-vocab.txt" "$layout/share/blip_mpi/"
ln -s "$root/env/run_gpu_tests.sh" "$layout/run_gpu_tests.sh"
bash "$layout/run_gpu_tests.sh" 'sanitizer|losses|resume|ranks|sample'
