"""log.jsonl as jobs/log.md documents it. Called by tests/end_to_end/log_fields.sh: log_fields.py PAGE [--without KIND,...] RUN...

Fails, and says why, where a record has a kind or member that is not documented, a documented one of another type, lacks one
that is always there, or where no record of the runs has a documented member (but of the kinds left out).
"""
import json
import pathlib
import re
import sys


def is_integer(value):
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


ANY_NAME = 'OPTION', 'SPLIT', 'METRIC'
TYPES = {
    'text': lambda value: isinstance(value, str),
    'integer': is_integer,
    'number': is_number,
    'number or null': lambda value: value is None or is_number(value),
    'true or false': lambda value: isinstance(value, bool),
    'list of integers': lambda value: isinstance(value, list) and all(map(is_integer, value)),
    'list of texts': lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value),
}


def documented(page):
    """{kind: {pattern: (type, always)}}"""
    kinds = {}
    for part in re.split(r'^## ', page.read_text(), flags=re.M)[1:]:
        kind, members = part.split('\n', 1)[0].strip(), {}
        for row in re.findall(r'^\| (.+) \|$', members_of(part), re.M):
            names, type_name, when, _ = (cell.strip() for cell in (row + ' ').split(' | ', 3))
            for name in names.split(', '):
                assert name not in members, f'{kind}: {name} stands twice'
                members[name] = type_name, when == 'always'
                assert type_name in TYPES, f'{kind}: {name} is {type_name}'
        assert members, kind
        kinds[kind] = members
    return kinds


def members_of(part):
    """The table's rows, without its heading."""
    head, rows = part.split('|---|---|---|---|\n', 1)
    assert '| member | type | when | |\n' in head, part
    return rows


def leaves(value, path=()):
    """(path, value); a member of a list's objects has [] behind the list's name."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from leaves(member, (*path, name))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for member in value:
            yield from leaves(member, (*path[:-1], path[-1] + '[]'))
    else:
        yield path, value


def matches(pattern, path):
    parts = pattern.split('.')
    return len(parts) == len(path) and all(want in (have, *ANY_NAME) for want, have in zip(parts, path))


def check(page, without, runs):
    kinds = documented(page)
    seen = {(kind, name): 0 for kind in kinds for name in kinds[kind]}
    problems = set()
    for run in runs:
        for line in (pathlib.Path(run) / 'log.jsonl').read_text().splitlines():
            record = json.loads(line)
            kind = record.pop('kind')
            if not re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ', record.pop('time')):
                problems.add(f'{kind}: its time: {line[:80]}')
            if kind not in kinds:
                problems.add(f'the kind {kind} is not documented')
                continue
            here = set()
            for path, value in leaves(record):
                names = [name for name in kinds[kind] if matches(name, path)]
                if not names:
                    problems.add(f'{kind}: {".".join(path)} is not documented')
                    continue
                here.add(names[0])
                seen[kind, names[0]] += 1
                if not TYPES[kinds[kind][names[0]][0]](value):
                    problems.add(f'{kind}: {".".join(path)} is {json.dumps(value)[:60]}, not {kinds[kind][names[0]][0]}')
            for name, (_, always) in kinds[kind].items():
                if always and name not in here and not (name.startswith(('splits.', 'ranks[]', 'gpus[]')) and not record.get(re.split(r'[.[]', name)[0])):
                    problems.add(f'{kind}: {name} is not in each record: {line[:120]}')
    for (kind, name), count in seen.items():
        if count == 0 and kind not in without:
            problems.add(f'{kind}: {name} is documented, and no run has it')
    return sorted(problems), sum(seen.values())


if __name__ == '__main__':
    words = sys.argv[2:]
    left_out = words[1].split(',') if words[0] == '--without' else []
    found, count = check(pathlib.Path(sys.argv[1]), left_out, words[2:] if left_out else words)
    print('\n'.join(found) or f'{count} members are as documented')
    sys.exit(bool(found))
