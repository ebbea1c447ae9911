#!/usr/bin/env python3
"""Checks the pages (*.md). Called by run.sh as: check_pages.py [ROOT]; prints one line per violation, exit 1 if any.

Links and anchors lead somewhere; options, make targets, scripts and files that a page names exist; README.md stays short;
each question of questions.txt is answered in the pages that README's table `I want to ...` links. Only sources are read, so
that a fresh clone can be checked before it is built.
"""
import pathlib
import re
import sys

README_BYTES = 10240
QUESTIONS = 'tests/lint/questions.txt'
FEWEST_QUESTIONS = 20
# Options of other tools that pages show.
OTHER_TOOLS = {
    'capevalkit': 'benchmark data-root image-dir metric predictions score-key',
    'mpirun': 'mca oversubscribe',
    'sbatch, srun, scancel': 'account array batch cpus-per-task exclude gpu-bind gpus-per-node gpus-per-task jobid mem mpi '
                             'nodes ntasks-per-node overlap partition qos requeue signal time',
}

FENCE = re.compile(r'^```.*?^```[^\n]*$', re.M | re.S)
SPAN = re.compile(r'`[^`]+`')
LINK = re.compile(r'\[([^\]]*)\]\(([^)\s]+)\)')
HEADING = re.compile(r'^#{1,6} +(.+?) *$', re.M)
OPTION = re.compile(r'(?<![\w-])--([a-z][a-z0-9-]*)')
# table.number("epochs", ...), table.add_flag("json", ...): how the programs declare their options
DECLARED = re.compile(r'\btable\s*\.\s*\w+\(\s*"([a-z][a-z0-9-]*)"\s*,')
# the table of the model's dimensions
DIMENSION = re.compile(r'\{"([a-z][a-z0-9-]*)",\s*&ModelOptions::')
# a case of a shell script, or a comparison; argparse's
TAKEN_BY_SHELL = re.compile(r'--([a-z][a-z0-9-]*)\)|=+ "?--([a-z][a-z0-9-]*)')
TAKEN_BY_PYTHON = re.compile(r'add_argument\(\s*[\'"]--([a-z][a-z0-9-]*)')
FILE = re.compile(r'(?<!\]\()(?<![\w./-])((?:src|include|tests|jobs|env|data_prep)/[\w./-]*\w\.[a-z]+)\b')
SCRIPT = re.compile(r'(?<![\w*])(\w+\.(?:sh|sbatch))\b')
MAKE = re.compile(r'\bmake ([a-z][a-z-]*)')


def files_of(root, pattern):
    for path in sorted(root.rglob(pattern)):
        top = path.relative_to(root).parts[0]
        if path.is_file() and not top.startswith(('build', '.git')):
            yield path


def blanked(pattern, text):
    """text with every match blanked, lines kept."""
    return pattern.sub(lambda match: re.sub(r'[^\n]', ' ', match.group()), text)


def anchors_of(text):
    """As GitHub makes them of headings."""
    found = set()
    for heading in HEADING.findall(blanked(FENCE, text)):
        name = re.sub(r'[^\w\- ]', '', LINK.sub(r'\1', heading).lower()).replace(' ', '-')
        number = 0
        while (slug := f'{name}-{number}' if number else name) in found:
            number += 1
        found.add(slug)
    return found


def known_options(root):
    known = set(' '.join(OTHER_TOOLS.values()).split())
    for folder in ('src', 'data_prep'):
        for path in files_of(root / folder, '*.cpp'):
            known.update(DECLARED.findall(path.read_text()), DIMENSION.findall(path.read_text()))
    for path in files_of(root, '*.sh'):
        known.update(name for pair in TAKEN_BY_SHELL.findall(path.read_text()) for name in pair if name)
    for path in files_of(root, '*.py'):
        known.update(TAKEN_BY_PYTHON.findall(path.read_text()))
    return known


def make_targets(root):
    known = set()
    for path in [root / 'Makefile', *sorted((root / 'env' / 'make').glob('*.mk'))]:
        for names in re.findall(r'^([a-z][a-z -]*):(?!=)', path.read_text(), re.M):
            known.update(names.split())
    return known


def linked_page(page, target):
    """The file that a link leads to, None for another site's."""
    if re.match(r'[a-z]+:', target):
        return None
    name = target.partition('#')[0]
    return (page.parent / name).resolve() if name else page


def problems_of_links(page, text):
    for match in LINK.finditer(blanked(SPAN, blanked(FENCE, text))):
        target = match.group(2)
        other = linked_page(page, target)
        anchor = target.partition('#')[2]
        if other is None:
            continue
        if not other.exists():
            yield match.start(), f'link to {target}: no such file'
        elif anchor and anchor not in anchors_of(other.read_text()):
            yield match.start(), f'link to {target}: no such heading'


def problems_of_names(root, text, options, targets, scripts):
    for match in OPTION.finditer(text):
        if match.group(1) not in options:
            yield match.start(), f'no program or script takes --{match.group(1)}'
    for code in (*FENCE.finditer(text), *SPAN.finditer(blanked(FENCE, text))):
        for match in MAKE.finditer(code.group().replace('\n', ' ')):
            if match.group(1) not in targets:
                yield code.start() + match.start(), f'make has no target {match.group(1)}'
    for match in FILE.finditer(text):
        placeholder = re.search(r'/[A-Z]+/', match.group(1))
        if not placeholder and not (root / match.group(1)).exists():
            yield match.start(), f'no file {match.group(1)}'
    for match in SCRIPT.finditer(text):
        if match.group(1) not in scripts:
            yield match.start(), f'no script {match.group(1)}'


def answering_pages(readme):
    """Pages that the table `I want to ...` links."""
    table = re.search(r'^\| *I want to \.\.\..*\n((?:\|.*\n)*)', readme.read_text(), re.M)
    pages = [linked_page(readme, target) for _, target in LINK.findall(table.group(1) if table else '')]
    return [page for page in dict.fromkeys(pages) if page and page.exists()]


def problems_of_questions(root):
    pages = answering_pages(root / 'README.md')
    if not pages:
        yield 'README.md', 1, 'no table `I want to ...` that links pages'
    text = ' '.join(' '.join(page.read_text().split()) for page in pages)
    lines = (root / QUESTIONS).read_text().splitlines()
    if len(lines) < FEWEST_QUESTIONS:
        yield QUESTIONS, 1, f'{len(lines)} questions, at least {FEWEST_QUESTIONS}'
    for number, line in enumerate(lines, 1):
        question, tab, answer = line.partition('\t')
        if not tab or not answer:
            yield QUESTIONS, number, 'a line is a question, a tab and a regular expression'
        elif not re.search(answer, text):
            yield QUESTIONS, number, f'no page answers: {question}'


def all_problems(root):
    options, targets = known_options(root), make_targets(root)
    scripts = {path.name for pattern in ('*.sh', '*.sbatch') for path in files_of(root, pattern)}
    for page in files_of(root, '*.md'):
        text = page.read_text()
        for at, problem in (*problems_of_links(page, text), *problems_of_names(root, text, options, targets, scripts)):
            yield page.relative_to(root), text.count('\n', 0, at) + 1, problem
    size = (root / 'README.md').stat().st_size
    if size > README_BYTES:
        yield 'README.md', 1, f'{size} bytes, at most {README_BYTES}: move what is not for everyone to another page'
    yield from problems_of_questions(root)


def main(root):
    found = 0
    for page, line, problem in all_problems(root):
        print(f'{page}:{line}: {problem}')
        found += 1
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else '.').resolve()))
