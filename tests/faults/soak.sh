#!/usr/bin/env bash
# Ten random faults against one training run, which is started again after each and ends with an undisturbed run's bytes:
# the short form of `make soak`.
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"

new_case "ten random faults, and the bits of an undisturbed run"
run timeout -k 10 600 python3 "$root/tests/faults/soak.py" --build "$(dirname "$bin")" --faults 10 --seed 2 --small
exits 0; says "the undisturbed run's, bit for bit"
is "$(grep -cE '^ *[0-9]+  .* exit ' "$output")" 10 "faults"
summary
