#!/usr/bin/env bash
# env/setup.sh killed, failing or cheated while it installs LibTorch or the CUDA compiler: the next run must never trust what
# is left. A stand-in for `python3 -m pip` plays the download; everything else is the real script.
# shellcheck source=tests/support/shell_test.sh
. "$(dirname "$0")/../support/shell_test.sh"
# shellcheck source=tests/support/hide_lib.sh
. "$(dirname "$0")/../support/hide_lib.sh"

export BLIP_DEPS=$scratch/deps
unset LIBTORCH CUDA_HOME
export CUDA=0
torch=$BLIP_DEPS/torch-2.11.0-cu130
real_python=$(command -v python3)
mkdir -p "$scratch/bin" "$BLIP_DEPS"
# FAKE_PIP says what it does: hang (half an installation, then waits), fail, short (a file shorter than listed), whole.
cat >"$scratch/bin/python3" <<FAKE
#!/usr/bin/env bash
case "\$*" in
*"pip install"*) ;;
*"pip --version"*) exit 0 ;;
*) exec "$real_python" "\$@" ;;
esac
while [ "\$1" != --target ]; do
    [ "\$1" != -r ] || list=\$2
    shift
done
site=\$2
sed -nE 's/^([a-z0-9-]+)==([0-9.]+) .*/\1 \2/p' "\$list" | while read -r name version; do
    mkdir -p "\$site/\${name//-/_}-\$version.dist-info"
    : >"\$site/\${name//-/_}-\$version.dist-info/RECORD"
done
case \$list in
*nvcc*)
    mkdir -p "\$site/nvidia/cu13/bin"
    printf '#!/bin/sh\nexit %s\n' "\${FAKE_NVCC:-0}" >"\$site/nvidia/cu13/bin/nvcc"
    chmod +x "\$site/nvidia/cu13/bin/nvcc"
    [ "\$FAKE_PIP" != fail ] || exit 1
    [ "\$FAKE_PIP" != hang ] || { touch "$scratch/hanging"; exec sleep 60; }
    [ "\$FAKE_PIP" != lacking ] || rm -r "\$site"/nvidia_nvvm-*
    exit 0 ;;
esac
mkdir -p "\$site/torch/include/ATen/core" "\$site/torch/lib"
echo header >"\$site/torch/include/ATen/core/Tensor.h"
case \$FAKE_PIP in
hang) touch "$scratch/hanging"; exec sleep 60 ;;
fail) exit 1 ;;
esac
cp /bin/true "\$site/torch/lib/libtorch_cpu.so"
cp /bin/true "\$site/torch/lib/libtorch_cuda.so"
for i in \$(seq 1000); do echo "\$i" >"\$site/torch/f\$i"; echo "torch/f\$i,,\$((\${#i} + 1))"; done >"\$site/torch-2.11.0.dist-info/RECORD"
[ "\$FAKE_PIP" != short ] || : >"\$site/torch/f500"
FAKE
chmod +x "$scratch/bin/python3"
setup() { env PATH="$scratch/bin:$PATH" FAKE_PIP="$1" env/setup.sh "${@:2}"; }
nothing_installed() {
    exits_with 66 "missing: LibTorch" env/setup.sh --check && [ ! -e "$torch" ]
}
nothing_left() { [ -z "$(find "$BLIP_DEPS" -mindepth 1 ! -name .lock | head -n 1)" ]; }

free_mb=$(df -Pm "$BLIP_DEPS" | awk 'NR == 2 {print $4}')
if [ "$free_mb" -lt 6600 ]; then
    skips "set-up interrupted" "needs 6600 MB free in $scratch"
    finish
fi
if env/setup.sh --check 2>&1 | grep -q 'missing packages'; then
    skips "set-up interrupted" "system packages are missing"
    finish
fi

passes "pip fails: exit 74" exits_with 74 "pip could not install LibTorch" setup fail
passes "pip fails: nothing is left" nothing_left
passes "a file shorter than listed: exit 74" exits_with 74 "torch/f500 is absent or has another size" setup short
passes "a file shorter than listed: not trusted" nothing_installed

killed() {
    local pid tries=0
    setsid env PATH="$scratch/bin:$PATH" FAKE_PIP=hang env/setup.sh &
    pid=$!
    while [ ! -e "$scratch/hanging" ] && [ $((tries += 1)) -lt 100 ]; do sleep 0.1; done
    kill "$1" -- "-$pid"
    wait "$pid"
    rm "$scratch/hanging"
}
killed -KILL 2>/dev/null
passes "killed in the middle: half of it lies there" test -n "$(find "$BLIP_DEPS" -name Tensor.h)"
passes "killed in the middle: not trusted" nothing_installed
killed -TERM 2>/dev/null
passes "terminated: cleans up, also after the killed one" nothing_left

passes "then installs" exits_with 0 "ready" setup whole
passes "installed" test -e "$torch/torch/f1000"
passes "no remains of the interrupted ones" test -z "$(find "$BLIP_DEPS" -name '.staging*')"
passes "nothing to do the next time" exits_with 0 "nothing is missing" env/setup.sh --check
echo "other pins" >"$torch/.complete"
passes "made from another list of wheels: not trusted" exits_with 66 "missing: LibTorch" env/setup.sh --check
passes "and replaced" exits_with 0 "ready" setup whole
passes "the right one now" exits_with 0 "nothing is missing" env/setup.sh --check
passes "LIBTORCH that is none" exits_with 66 "holds no include/ATen/core/Tensor.h" env LIBTORCH="$scratch" env/setup.sh
passes "unknown word" exits_with 64 "usage" env/setup.sh --chek

# The CUDA compiler, on a machine that has none.
if ! can_hide; then
    skips "CUDA compiler interrupted" "nvcc cannot be hidden: no namespaces here (unshare)"
    finish
fi
nvcc=$BLIP_DEPS/nvcc-13.0.88
mapfile -t nvccs < <(every_nvcc)
path_without nvcc
cp "$scratch/bin/python3" "$scratch/path/python3.new" && mv "$scratch/path/python3.new" "$scratch/path/python3"
# bare NAME=VALUE... [ARGUMENT...]: env/setup.sh there
bare() { without "${nvccs[@]}" -- env -u CUDA PATH="$scratch/path" "$1" FAKE_PIP="$2" env/setup.sh "${@:3}"; }
no_nvcc() { exits_with 66 "missing: a CUDA compiler" bare A=1 whole --check && [ ! -e "$nvcc" ]; }
passes "no nvcc: said" no_nvcc
passes "CUDA=0: not missed" exits_with 0 "nothing is missing" bare CUDA=0 whole --check
passes "CUDA=0: not installed" exits_with 0 "ready" bare CUDA=0 whole
passes "CUDA=0: nothing there" test ! -e "$nvcc"
passes "nvcc: pip fails: exit 74" exits_with 74 "pip could not install nvcc" bare A=1 fail
passes "nvcc: a wheel of the list is absent: exit 74" exits_with 74 "nvidia-nvvm is absent from" bare A=1 lacking
passes "nvcc: one that cannot compile: exit 74" exits_with 74 "does not work here" bare FAKE_NVCC=1 whole
passes "nvcc: none of these is trusted" no_nvcc
passes "nvcc: LibTorch stays" test -e "$torch/torch/f1000"
killed_nvcc() {
    local pid tries=0
    setsid bash -c '"$@"' bash env -u CUDA PATH="$scratch/path" FAKE_PIP=hang unshare -rm bash -c '
        for file in "$@"; do [ ! -e "$file" ] || mount --bind /dev/null "$file"; done
        exec env/setup.sh' bash "${nvccs[@]}" &
    pid=$!
    while [ ! -e "$scratch/hanging" ] && [ $((tries += 1)) -lt 100 ]; do sleep 0.1; done
    kill -KILL -- "-$pid"
    wait "$pid"
    rm "$scratch/hanging"
}
killed_nvcc 2>/dev/null
passes "nvcc: killed in the middle: half of it lies there" test -n "$(find "$BLIP_DEPS" -path '*.staging*' -name nvcc)"
passes "nvcc: killed in the middle: not trusted" no_nvcc
passes "nvcc: then installs" exits_with 0 "ready" bare A=1 whole
passes "nvcc: where the Makefile looks" test -x "$nvcc/nvidia/cu13/bin/nvcc"
passes "nvcc: nothing to do the next time" exits_with 0 "nothing is missing" bare A=1 whole --check
passes "nvcc: no remains" test -z "$(find "$BLIP_DEPS" -name '.staging*')"
passes "CUDA_HOME that is none" exits_with 66 "CUDA_HOME=$scratch holds no bin/nvcc" bare CUDA_HOME="$scratch" whole
finish
