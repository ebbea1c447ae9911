#!/usr/bin/env bash
# Plants one violation of each rule in a small tree and expects check_pages.py to name each, and nothing in a clean tree.
# Called by run.sh.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/{src/options,jobs,env,tests/lint,build}
printf '%s\n' 'help: ## this list' 'run-tests: build tests' >"$tree/Makefile"
printf '%s\n' 'table.number("epochs", "N", "passes");' 'table' '    .add_flag(' '        "no-evaluate", "none");' >"$tree/src/options/table.cpp"
printf '%s\n' 'case $1 in' '    ?--with-slurm) slurm=1 ;;' 'esac' >"$tree/env/setup.sh"
printf '%s\n' "parser.add_argument('--rows')" >"$tree/env/rows.py"
printf '%s\n' '# A page with a dead [link](nowhere.md), left by a tool' >"$tree/build/page.md"
readme() { # LINE...: the clean page, with these lines at its end
    printf '%s\n' '# A program' '' '| I want to ... | read |' '|---|---|' '| run it | [Running](jobs/README.md), [Files](#files) |' '' \
        '## Files' '' 'Written by --epochs, --no-evaluate, `sbatch --partition=gpu`, env/setup.sh --with-slurm and --rows.' \
        'See [how](jobs/README.md#the-first-run), [why](jobs/README.md#the-first-run-1), [all](https://example.org/x#y).' \
        '`make help`, src/LAYER/x.cpp' '```' '[not a link](nowhere.md)' '```' "$@" >"$tree/README.md"
}
printf '%s\n' '# Running' '' '## The `first` run' '' 'It takes a' 'minute.' '' '## The first run' >"$tree/jobs/README.md"
questions() { # LINE...: as many as are asked for, and these
    { for _ in {1..20}; do printf 'How long?\ttakes a minute\n'; done && printf '%b' "${@/%/\\n}"; } >"$tree/tests/lint/questions.txt"
}
readme
questions
if ! python3 "$here/check_pages.py" "$tree"; then
    echo "a clean tree was refused"
    exit 1
fi
expect() { # MESSAGE PLACE: this alone is refused, for this reason
    local said
    said=$(python3 "$here/check_pages.py" "$tree" || true)
    if [[ $said != "$2:"*"$1"* || $said = *$'\n'* ]]; then
        printf 'expected "%s" for %s, got: %s\n' "$1" "$2" "$said"
        exit 1
    fi
    readme
    questions
}
readme '[a](jobs/other.md)' && expect 'no such file' README.md:15
readme '[a](jobs/README.md#the-last-run)' && expect 'no such heading' README.md:15
readme '[a](#the-first-run)' && expect 'no such heading' README.md:15
readme 'It takes `--epoch`' && expect 'takes --epoch' README.md:15
readme '```' 'blip_mpi --sed 1' '```' && expect 'takes --sed' README.md:16
readme '`make halp`' && expect 'no target halp' README.md:15
readme '```' 'make halp' '```' && expect 'no target halp' README.md:16
readme 'See src/options/tables.cpp.' && expect 'no file src/options/tables.cpp' README.md:15
readme 'kept by train_kill.sh' && expect 'no script train_kill.sh' README.md:15
readme "$(printf 'word %.0s' {1..2100})" && expect 'bytes, at most 10240' README.md:1
questions 'How far?\ta mile' && expect 'no page answers: How far?' tests/lint/questions.txt:21
questions 'How far? a mile' && expect 'a question, a tab' tests/lint/questions.txt:21
printf 'How long?\ttakes a minute\n' >"$tree/tests/lint/questions.txt" && expect '1 questions, at least 20' tests/lint/questions.txt:1
