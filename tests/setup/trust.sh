#!/usr/bin/env bash
# test: quick
# env/setup.sh uses no cache that another user could have filled.
# shellcheck source=tests/support/shell_test.sh
. "$(dirname "$0")/../support/shell_test.sh"
export BLIP_DEPS=$scratch/deps CUDA=0
unset LIBTORCH CUDA_HOME
torch=$BLIP_DEPS/torch-2.11.0-cu130
mkdir -p "$torch/torch/lib"
sha256sum env/requirements-torch.txt | cut -d' ' -f1 >"$torch/.complete"
touch "$torch/torch/lib/libtorch_cpu.so"
umask 022

refused() { exits_with 66 "$1" env/setup.sh --check && exits_with 66 "can be written by anyone" env/setup.sh; }
passes "a cache of one's own is used" exits_with 0 "nothing is missing" env/setup.sh --check
chmod o+w "$BLIP_DEPS"
passes "a cache that anyone may write to is refused, by name" refused "setup: $BLIP_DEPS belongs"
chmod o-w "$BLIP_DEPS"
chmod o+w "$torch/torch/lib/libtorch_cpu.so"
passes "so is a library in it" refused "setup: $torch/torch/lib/libtorch_cpu.so belongs"
chmod o-w "$torch/torch/lib/libtorch_cpu.so"
chmod o+w "$torch/torch/lib"
passes "and the folder that a library could be put into" refused "setup: $torch/torch/lib belongs"
chmod o-w "$torch/torch/lib"
if [ "$(id -u)" = 0 ]; then
    chown 12345 "$torch/torch/lib/libtorch_cpu.so"
    passes "a library of another user is refused" refused "owner UNKNOWN"
    chown 0 "$torch/torch/lib/libtorch_cpu.so"
else
    skips "a library of another user is refused" "only root can make one"
fi
ln -s "$BLIP_DEPS" "$scratch/link"
passes "a cache behind a link is used" env BLIP_DEPS="$scratch/link" env/setup.sh --check
chmod o+w "$BLIP_DEPS"
passes "and judged by what is behind it" env BLIP_DEPS="$scratch/link" bash -c '! env/setup.sh --check'
finish
