#!/usr/bin/env bash
# test: quick
# env/tensorboard.sh without its Python, and with an installation that fails: said, and never trusted; and what it runs sees its
# packages alone. Stand-ins play pip and the Python; nothing is downloaded.
# shellcheck source=tests/support/shell_test.sh
. "$(dirname "$0")/../support/shell_test.sh"

export BLIP_DEPS=$scratch/deps
unset TENSORBOARD_PYTHON
real_python=$(command -v python3)
mkdir -p "$scratch/bin" "$BLIP_DEPS"
cat >"$scratch/bin/python3" <<FAKE
#!/usr/bin/env bash
case "\$*" in
*"pip install"*) exit 1 ;;
*"pip --version"*) exit 0 ;;
*) exec "$real_python" "\$@" ;;
esac
FAKE
cat >"$scratch/bin/python3.11" <<'FAKE'
#!/usr/bin/env bash
case "$*" in
*version_info*) echo 3.11 ;;
*) echo "runs $* with $PYTHONPATH"; exit 3 ;;
esac
FAKE
chmod +x "$scratch/bin/"*
reader() { env PATH="$scratch/bin:$PATH" "$1" env/tensorboard.sh "${@:2}"; }

passes "another Python: said" exits_with 66 "TENSORBOARD_PYTHON=/bin/false is no Python 3.11" reader TENSORBOARD_PYTHON=/bin/false
passes "pip fails: exit 74" exits_with 74 "pip could not install TensorBoard's reader" reader A=1
passes "nothing is left of it" test -z "$(find "$BLIP_DEPS" -name 'tensorboard-*' -o -name '.staging*')"
mark=$(sha256sum env/requirements-tensorboard.txt | cut -d' ' -f1)
packages=$BLIP_DEPS/tensorboard-${mark:0:12}
mkdir "$packages"
echo "$mark" >"$packages/.complete"
passes "a script runs with these packages, and its exit code is passed on" exits_with 3 "runs -s -S -B a.py b with $packages" reader A=1 a.py b
echo other >"$packages/.complete"
passes "a set of another list is not used" exits_with 74 "pip could not install" reader A=1 a.py b
finish
