"""What the tests of coco_pack's forms of data share: pictures, rows about them, and packing them."""
import csv
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

BIN = pathlib.Path(os.environ.get('BLIP_BUILD', os.environ.get('BUILD', 'build'))).resolve() / 'bin'
scratch = pathlib.Path(tempfile.mkdtemp(prefix='blip_forms.'))
passed = failed = skipped = 0


def skip(what):
    global skipped
    skipped += 1
    print(f'skipped: {what}')


def check(name, test):
    global passed, failed
    shutil.rmtree(scratch / 'd', ignore_errors=True)
    (scratch / 'd').mkdir()
    try:
        test(scratch / 'd')
        passed += 1
    except Exception as problem:
        failed += 1
        print(f'FAILED {name}: {type(problem).__name__}: {problem}')


def run(*words, code=0, program='coco_pack'):
    done = subprocess.run([BIN / program, *map(str, words)], capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert done.returncode == code, f'exit {done.returncode} instead of {code}: {words}\n{said}'
    return said


def pack(*words, digest=False):
    """The rows of a packed file, and what was said."""
    out = scratch / 'out.h5'
    said = run(*words, '--out', out, '--overwrite')
    rows = [json.loads(line) for line in run('--info', out, '--rows').splitlines()]
    run('--check', out)
    return (re.search('data digest ([0-9a-f]{16})', said)[1], rows, said) if digest else (rows, said)


def refused(path, *parts, code=65, words=()):
    said = run(path, '--out', scratch / 'no.h5', *words, code=code)
    for part in parts:
        assert str(part) in said, f'lacks {part!r}: {said}'
    assert not list(scratch.glob('no.h5*')), 'something was left behind'
    return said


run('--out', scratch / 'sample', '--train', 12, '--val', 2, '--test', 2, '--seed', 5, program='make_sample')
PICTURES = sorted((scratch / 'sample').glob('*2014/*.jpg'))[:12]
WORDS = ['A red square, on grey.', 'zwei "große" Hunde', 'the sea; a boat | a bird', 'a café']
SPLITS = {'train': 8, 'val': 2, 'test': 2}
# path without extension -> (split, captions)
ROWS, number = {}, 0
for split, count in SPLITS.items():
    for _ in range(count):
        ROWS[f'{split}/my pic {number}'] = (split, [WORDS[(number + k) % len(WORDS)] for k in range(1 + number % 2)])
        number += 1


def put_pictures(folder, rows=ROWS):
    for picture, key in zip(PICTURES, rows):
        file = folder / f'{key}.jpg'
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, file)


def flat(rows=ROWS):
    return [(key, split, caption) for key, (split, captions) in rows.items() for caption in captions]


def expected(rows=ROWS):
    return [{'split': split, 'image_id': key, 'file_name': f'{key}.jpg', 'captions': captions}
            for key, (split, captions) in rows.items()]


def write_csv(file, heading, rows, **form):
    with open(file, 'w', newline='', encoding='utf-8') as stream:
        csv.writer(stream, **form).writerows([heading, *rows])


def add_to_tar(tar, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def write_tar(file, samples, mode='w', **form):
    """samples: (key, picture, captions)."""
    with tarfile.open(file, mode, **form) as tar:
        for key, picture, captions in samples:
            if picture is not None:
                add_to_tar(tar, f'{key}.jpg', picture.read_bytes())
            if isinstance(captions, dict):
                add_to_tar(tar, f'{key}.json', json.dumps(captions).encode())
            elif captions is not None:
                add_to_tar(tar, f'{key}.txt', '\n'.join(captions).encode())


def captions_of(rows):
    return {row['image_id']: row['captions'] for row in rows}


def finish():
    shutil.rmtree(scratch)
    print(f'{passed} passed, {failed} failed, {skipped} skipped')
    sys.exit(failed > 0)
