#!/usr/bin/env bash
# Plants tests of every kind in a small tree and expects tests/run.py to count, choose, order, stop and show them as it should.
# Called by run.sh.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/tests/{faults,setup} "$tree/build/tests"
cp "$here/../run.py" "$tree/tests/"
unset BUILD SANITIZE FAULTS REQUIRE_GPU
plant() { printf '%s\n' '#!/usr/bin/env bash' "${@:2}" >"$tree/tests/$1"; } # SCRIPT LINE...
said='' rc=0
run() { # ARGUMENT...: sets said and rc
    rc=0
    said=$(python3 "$tree/tests/run.py" "$@" 2>&1) || rc=$?
}
says() { # CODE TEXT...
    for text in "${@:2}"; do
        if [ "$rc" != "$1" ] || [[ $said != *"$text"* ]]; then
            printf 'expected exit %s and "%s", got %s:\n%s\n' "$1" "$text" "$rc" "$said"
            exit 1
        fi
    done
}
plant faults/good.sh '# test: quick timed' 'echo "compared: 3 rows"; echo noise; echo "2 passed, 0 failed, 0 skipped"'
plant setup/skips.sh 'echo "skipped: a case (no GPU here)"; echo "1 passed, 0 failed, 1 skipped"'
printf '#!/bin/sh\necho "$@"; echo "4 passed, 0 failed, 0 skipped"\n' >"$tree/build/tests/unit_any"
chmod +x "$tree/build/tests/unit_any"
run && says 0 'compared: 3 rows' 'skipped: a case (no GPU here)' '7 passed, 0 failed, 2 skipped'
[[ $said != *noise* ]] || { echo "shows what passed: $said" && exit 1; }
run --tier quick && says 0 '6 passed, 0 failed, 1 skipped'
run --tier rest && says 0 '1 passed, 0 failed, 1 skipped'
run --tier quick setup && says 0 '1 passed, 0 failed, 1 skipped'
run unit_any/case* && says 0 '4 passed, 0 failed, 0 skipped'
run nothing && says 1 'no test matches "nothing"' '0 passed, 1 failed, 0 skipped'
REQUIRE_GPU=1 run setup && says 1 '1 passed, 1 failed, 0 skipped'
SANITIZE=1 run faults && says 0 'not for a build with sanitizers' '0 passed, 0 failed, 1 skipped'
plant faults/fails.sh 'echo "why it fails"; echo "1 passed, 1 failed, 0 skipped"; exit 1'
plant faults/crashes.sh 'echo "5 passed, 0 failed, 0 skipped"; kill -SEGV $$'
plant faults/silent.sh 'exit 0'
plant faults/hangs.sh '# test: limit=1' 'sleep 600'
run && says 1 'why it fails' 'faults/hangs.sh (exit -15, out of time, limit 1 s)' '13 passed, 4 failed, 2 skipped'
plant faults/odd.sh '# test: quik'
run && says 1 'knows no quik'
rm "$tree"/tests/faults/{odd,hangs}.sh
# Two that are timed are never there at once; a signal ends what runs.
for name in a b; do
    plant setup/$name.sh '# test: timed' "mkdir $tree/one || exit 1; sleep 0.5; rmdir $tree/one; echo '1 passed, 0 failed, 0 skipped'"
done
run 'setup/[ab]' && says 0 '2 passed, 0 failed, 0 skipped'
plant setup/long.sh "sleep 601 & echo \$! >$tree/pid; wait"
python3 "$tree/tests/run.py" setup/long >/dev/null 2>&1 &
until [ -s "$tree/pid" ]; do sleep 0.05; done
kill -TERM $! && ! wait $! || exit 1
for _ in {1..100}; do # what was killed may need a moment
    grep -qs sleep "/proc/$(cat "$tree/pid")/cmdline" || exit 0
    sleep 0.1
done
echo "a test outlives its runner"
exit 1
