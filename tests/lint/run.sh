#!/usr/bin/env bash
# All lint checks; called by `make lint` and .ci/run. One line per check, what it found above it, and the last line
# "N passed, N failed, N skipped". Exit 1 if any failed.
set -u
cd "$(dirname "$0")/../.." || exit 70
passed=0 failed=0 skipped=0
max_lines=500

mapfile -t files < <(git ls-files -co --exclude-standard | sort)
[ ${#files[@]} -gt 0 ] || mapfile -t files < <(find . -path ./build -prune -o -type f -print | sed 's|^\./||' | sort)
pick() { # files that exist and match the pattern
    local file
    for file in "${files[@]}"; do [[ $file =~ $1 && -f $file ]] && echo "$file"; done
}
mapfile -t cpp < <(pick '\.(cpp|h|cu|cuh)$')
mapfile -t scripts < <(pick '(\.(sh|sbatch|flux|pbs)|^\.ci/run)$')
mapfile -t texts < <(pick '(\.(cpp|h|cu|cuh|sh|py|md|cfg|sbatch|flux|pbs|txt|yaml|mk)|Makefile|^\.ci/run|^env/clang-[a-z]+)$' | grep -v vocab)

check() { # NAME COMMAND...
    local name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
        echo "ok      $name"
    else
        failed=$((failed + 1))
        echo "FAILED  $name"
    fi
}
check_tool() { # TOOL NAME COMMAND...: skipped where the tool is absent
    if command -v "$1" >/dev/null 2>&1; then
        check "${@:2}"
    else
        skipped=$((skipped + 1))
        echo "skipped: $2 ($1 is not installed: env/setup.sh)"
    fi
}

file_lengths() {
    local file lines bad=0
    for file in "${cpp[@]}" "${scripts[@]}" $(pick '\.py$'); do
        lines=$(wc -l <"$file")
        if [ "$lines" -gt $max_lines ]; then
            echo "$file: $lines lines, at most $max_lines"
            bad=1
        fi
    done
    return $bad
}
# grep finds nothing: good
no_trailing_space() { ! grep -nE '[[:blank:]]+$' "${texts[@]}"; }
no_tabs() { [ ${#cpp[@]} -eq 0 ] || ! grep -nP '\t' "${cpp[@]}"; }
ends_with_newline() {
    local file bad=0
    for file in "${texts[@]}"; do
        if [ -s "$file" ] && [ -n "$(tail -c 1 "$file")" ]; then
            echo "$file: no newline at the end"
            bad=1
        fi
    done
    return $bad
}
in_parallel() { # COMMAND...: with the files of list, some at a time on every core
    local cores
    cores=$(nproc)
    printf '%s\n' "${list[@]}" | xargs -d '\n' -P "$cores" -n $((${#list[@]} / (2 * cores) + 1)) "$@"
}
formatted() {
    local list=("${cpp[@]}")
    in_parallel clang-format --style=file:env/clang-format --dry-run --Werror || { echo "run make format" && false; }
}
sound_shell() {
    local list=("${scripts[@]}")
    in_parallel shellcheck -x -S warning
}
parses_python() { [ -z "$(pick '\.py$')" ] || pick '\.py$' | xargs -d '\n' python3 -c 'import ast, sys
for name in sys.argv[1:]: ast.parse(open(name).read(), name)'; }

check layers python3 tests/lint/check_layers.py
check "layers: planted violations" tests/lint/check_layers_test.sh
check pages python3 tests/lint/check_pages.py
check "pages: planted violations" tests/lint/check_pages_test.sh
check "test runner: planted failures" tests/lint/run_tests_test.sh
check "file lengths" file_lengths
check "trailing white space" no_trailing_space
check "tabs in C++" no_tabs
check "newline at the end" ends_with_newline
check "Python parses" parses_python
check_tool shellcheck shellcheck sound_shell
# Versions lay out a few lines differently; 14 is the one of Debian 12 and Ubuntu 22.04.
if clang-format --version 2>/dev/null | grep -q 'version 14\.'; then
    check clang-format formatted
else
    skipped=$((skipped + 1))
    echo "skipped: clang-format (version 14 is not installed: env/setup.sh)"
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
