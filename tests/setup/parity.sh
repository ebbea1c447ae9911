#!/usr/bin/env bash
# test: quick
# env/parity.sh without its Python, without torch, and with an installation that fails or is cheated: what is left is never
# trusted. Stand-ins play pip and the Python; the installer itself is that of env/setup.sh, whose interruptions
# setup_interrupted.sh tests.
# shellcheck source=tests/support/shell_test.sh
. "$(dirname "$0")/../support/shell_test.sh"

export BLIP_DEPS=$scratch/deps
unset LIBTORCH PARITY_PYTHON
real_python=$(command -v python3)
mkdir -p "$scratch/bin" "$BLIP_DEPS"
# FAKE_PIP: fail, short (a file shorter than listed), whole.
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
    echo "module_\$name.py,,4" >"\$site/\${name//-/_}-\$version.dist-info/RECORD"
    echo one >"\$site/module_\$name.py"
done
[ "\$FAKE_PIP" != fail ] || exit 1
[ "\$FAKE_PIP" != short ] || : >"\$site/module_numpy.py"
FAKE
# Says that it is 3.11; imports fail if FAKE_IMPORT says so, scripts are echoed.
cat >"$scratch/bin/python3.11" <<'FAKE'
#!/usr/bin/env bash
case "$*" in
*version_info*) echo "${FAKE_VERSION:-3.11}" ;;
*"import PIL"*) exit "${FAKE_IMPORT:-0}" ;;
*) echo "runs $* with $PYTHONPATH"; exit "${FAKE_EXIT:-0}" ;;
esac
FAKE
chmod +x "$scratch/bin/"*
parity() { env PATH="$scratch/bin:$PATH" "$1" env/parity.sh "${@:2}"; }
installed() { compgen -G "$BLIP_DEPS/parity-*" >/dev/null; }
nothing_installed() { ! installed && exits_with 66 "missing: Hugging Face transformers" parity A=1 --check; }

passes "no torch wheel: said" exits_with 66 "no torch wheel for Python 3.11 in $BLIP_DEPS/torch" parity A=1
mkdir -p "$BLIP_DEPS/torch-2.11.0-cu130/torch"
touch "$BLIP_DEPS/torch-2.11.0-cu130/torch/_C.cpython-311-x86_64-linux-gnu.so"
passes "another Python: said" exits_with 66 "is no Python 3.11" parity PARITY_PYTHON=/bin/false
passes "nothing there: said" nothing_installed
passes "pip fails: exit 74" exits_with 74 "pip could not install" parity FAKE_PIP=fail
passes "a file shorter than listed: exit 74" exits_with 74 "module_numpy.py is absent or has another size" parity FAKE_PIP=short
passes "it does not import: exit 74" exits_with 74 "does not work here" parity FAKE_IMPORT=1
passes "none of these is trusted" nothing_installed
passes "nothing is left of them" test -z "$(find "$BLIP_DEPS" -name '.staging*')"
passes "then installs" exits_with 0 "ready" parity A=1
passes "installed" installed
passes "nothing to do the next time" exits_with 0 "nothing is missing" parity FAKE_PIP=fail --check
passes "runs a script beside torch, with its exit code" exits_with 3 "torch-2.11.0-cu130" parity FAKE_EXIT=3 a.py word
finish
