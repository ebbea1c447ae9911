#!/usr/bin/env bash
# env/setup.sh killed, failing or cheated while it installs LibTorch: the next run must never trust what is left. A stand-in
# for `python3 -m pip` plays the download; everything else is the real script. Called by tests/run_all.sh.
# shellcheck source=tests/support/shell_test.sh
. "$(dirname "$0")/../support/shell_test.sh"

export BLIP_DEPS=$scratch/deps
unset LIBTORCH
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
while [ "\$1" != --target ]; do shift; done
site=\$2
mkdir -p "\$site/torch/include/ATen/core" "\$site/torch/lib" "\$site/torch-2.11.0.dist-info"
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
finish
