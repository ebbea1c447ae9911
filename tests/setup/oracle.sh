#!/usr/bin/env bash
# test: quick
# env/oracle.sh without Java, without its Python, and with an installation that fails: said, and never trusted. Stand-ins play
# Java, pip and the Python; nothing is downloaded.
# shellcheck source=tests/support/shell_test.sh
. "$(dirname "$0")/../support/shell_test.sh"

export BLIP_DEPS=$scratch/deps
unset ORACLE_PYTHON
real_python=$(command -v python3)
mkdir -p "$scratch/bin" "$scratch/java" "$BLIP_DEPS"
for tool in bash env dirname cut sha256sum cat grep sed; do ln -s "$(command -v $tool)" "$scratch/bin/$tool"; done
printf '#!/bin/sh\nexit 0\n' >"$scratch/java/java"
cat >"$scratch/java/python3" <<FAKE
#!/usr/bin/env bash
case "\$*" in
*"pip install"*) exit 1 ;;
*"pip --version"*) exit 0 ;;
*) exec "$real_python" "\$@" ;;
esac
FAKE
cat >"$scratch/java/python3.11" <<'FAKE'
#!/usr/bin/env bash
case "$*" in
*version_info*) echo "${FAKE_VERSION:-3.11}" ;;
*) echo "runs $* with $PYTHONPATH"; exit 3 ;;
esac
FAKE
chmod +x "$scratch/java/"*
oracle() { env PATH="$scratch/java:$PATH" "$1" env/oracle.sh "${@:2}"; }

passes "no Java: said, and that nothing else needs it" exits_with 66 "no Java on PATH" env PATH="$scratch/bin" env/oracle.sh --check
passes "another Python: said" exits_with 66 "ORACLE_PYTHON=/bin/false is no Python 3.11" oracle ORACLE_PYTHON=/bin/false
passes "nothing there: said" exits_with 66 "missing: pycocoevalcap in $BLIP_DEPS/oracle-" oracle A=1 --check
passes "pip fails: exit 74" exits_with 74 "pip could not install pycocoevalcap" oracle A=1
passes "nothing is left of it" test -z "$(find "$BLIP_DEPS" -name 'oracle-*' -o -name '.staging*')"
mark=$(sha256sum env/requirements-oracle.txt | cut -d' ' -f1)
mkdir "$BLIP_DEPS/oracle-${mark:0:12}"
echo "$mark" >"$BLIP_DEPS/oracle-${mark:0:12}/.complete"
passes "nothing to do where it is" exits_with 0 "nothing is missing" oracle A=1 --check
passes "runs a script with these packages alone, with its exit code" exits_with 3 "a.py word with $BLIP_DEPS/oracle-" oracle A=1 a.py word
finish
