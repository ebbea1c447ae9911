"""Run by own_data.sh. What folders, tables and tars hold beyond the plain forms of pack_forms.py."""
import bz2
import gzip
import json
import lzma
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tarfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / 'support'))
from packing import BIN, PICTURES, add_to_tar, captions_of, check, finish, flat, pack, put_pictures, refused, run, scratch, write_csv, write_tar

SMALL = {'a': ('', ['one']), 'b': ('', ['two']), 'c': ('', ['three'])}


def as_side_files(folder, rows=SMALL):
    put_pictures(folder, rows)
    for key, (_, captions) in rows.items():
        (folder / f'{key}.txt').write_text('\n'.join(captions) + '\n')


def upper_case_endings(folder):
    as_side_files(folder)
    (folder / 'a.jpg').rename(folder / 'a.JPG')
    (folder / 'a.txt').rename(folder / 'a.TXT')
    (folder / 'a.Caption').write_text('and one\n')
    wanted = {'a': ['one', 'and one'], 'b': ['two'], 'c': ['three']}
    assert captions_of(pack(folder)[0]) == wanted
    with tarfile.open(folder / 'x.tar', 'w') as tar:
        for key, picture, text in ('a', '.JPG', '.TXT'), ('b', '.Jpeg', '.Caption'):
            add_to_tar(tar, key + picture, PICTURES[0].read_bytes())
            add_to_tar(tar, key + text, key.encode())
        add_to_tar(tar, 'c.PNG', PICTURES[1].read_bytes())
        add_to_tar(tar, 'c.JSON', b'{"caption": "c"}')
    assert captions_of(pack(folder / 'x.tar')[0]) == {'a': ['a'], 'b': ['b'], 'c': ['c']}
    shutil.rmtree(folder)
    put_pictures(folder, SMALL)
    write_csv(folder / 'CAPTIONS.CSV', ['image', 'caption'], [(f'{k}.jpg', c) for k, _, c in flat(SMALL)])
    assert captions_of(pack(folder)[0]) == {k: c for k, (_, c) in SMALL.items()}


check('endings in upper case', upper_case_endings)


def columns(folder):
    put_pictures(folder, SMALL)
    write_csv(folder / 'x.csv', ['image', 'Caption', 'caption', 'note', 'note'], [(f'{k}.jpg', c, f'{c}, again', 1, 2) for k, _, c in flat(SMALL)])
    assert captions_of(pack(folder / 'x.csv')[0]) == {k: [c, f'{c}, again'] for k, _, c in flat(SMALL)}
    write_csv(folder / 'x.csv', ['image', 'image', 'caption'], [('a.jpg', 'b.jpg', 'x')])
    refused(folder / 'x.csv', 'line 2', 'path is not a text')
    # a cell with a list, rows of nothing
    lists = {k: [c, 'say "hi", [twice]'] for k, _, c in flat(SMALL)}
    write_csv(folder / 'x.csv', ['filename', 'raw', 'sentids'], [*((f'{k}.jpg', json.dumps(own), '[0, 1]') for k, own in lists.items()), ('', '', '')])
    assert captions_of(pack(folder / 'x.csv')[0]) == lists
    write_csv(folder / 'x.csv', ['filename', 'raw'], [('a.jpg', '[sic]'), ('b.jpg', '[1]'), ('c.jpg', '["x"')])
    assert captions_of(pack(folder / 'x.csv')[0]) == {'a': ['[sic]'], 'b': ['[1]'], 'c': ['["x"']}
    write_csv(folder / 'x.csv', ['filename', 'raw'], [('a.jpg', 'x'), ('b.jpg', str(['one', "it's two"]))])
    refused(folder / 'x.csv', 'line 3: the caption is a list as Python prints it')
    # which of several is taken
    (folder / 'x.jsonl').write_text(''.join(json.dumps({'text': 'no', 'image': 'no.jpg', 'file_name': f'{k}.jpg', 'caption': c, 'prompt': None}) + '\n'
                                            for k, _, c in flat(SMALL)))
    rows, said = pack(folder / 'x.jsonl')
    assert captions_of(rows) == {k: c for k, (_, c) in SMALL.items()}, rows
    assert "x.jsonl: of file_name, image 'file_name' is taken; --image-column takes another\n" in said, said
    assert "x.jsonl: of caption, text 'caption' is taken; --caption-column takes another\n" in said, said
    # names as they stand in the heading
    write_csv(folder / 'x.csv', ['Photo', 'Words'], [(f'{k}.jpg', c) for k, _, c in flat(SMALL)])
    rows, _ = pack(folder / 'x.csv', '--image-column', 'Photo', '--caption-column', 'Words')
    assert captions_of(rows) == {k: c for k, (_, c) in SMALL.items()}, rows
    refused(folder / 'x.csv', "line 2: has no 'Foto' for the picture; there are: photo, words", words=('--image-column', 'Foto'))


check('columns', columns)


def kaggle_flickr30k(folder):
    put_pictures(folder / 'flickr30k_images', SMALL)
    # the row that lacks a delimiter in the published file, and one that is wrong otherwise
    lines = ['image_name| comment_number| comment', 'a.jpg| 0| One .', 'a.jpg| 4   A dog runs , again .', 'b.jpg| 0| Two .', 'c.jpg| 0| Three .']
    (folder / 'results.csv').write_text('\n'.join(lines) + '\n')
    rows, _ = pack(folder)
    assert captions_of(rows) == {'a': ['One .', 'A dog runs , again .'], 'b': ['Two .'], 'c': ['Three .']}, rows
    (folder / 'results.csv').write_text('\n'.join([*lines, 'c.jpg| 4']) + '\n')
    refused(folder, 'line 6: has 2 cells, the heading 3')


check("Kaggle's Flickr30k", kaggle_flickr30k)


def pictures_without_captions(folder):
    """VizWiz has a test.json of pictures alone."""
    parts = {'train': ['a', 'b'], 'val': ['c'], 'test': ['d']}
    write = lambda split, value: (folder / 'annotations' / f'{split}.json').write_text(json.dumps(value))
    (folder / 'annotations').mkdir()
    for split, keys in parts.items():
        put_pictures(folder / split, keys)
        images = [{'id': k, 'file_name': f'{k}.jpg'} for k in keys]
        captions = [{'image_id': k, 'caption': f'of {k}'} for k in keys]
        write(split, {'info': {}, 'images': images, **({} if split == 'test' else {'annotations': captions})})
    for _ in range(2):
        rows, said = pack(folder)
        assert [(r['split'], r['captions']) for r in rows] == [('train', ['of a']), ('train', ['of b']), ('val', ['of c'])], rows
        assert 'test.json is a list of pictures without captions, as of a test split: left out' in said, said
        assert f'1 picture in {folder} without a caption is left out (the first: test/d.jpg)' in said, said
        refused(folder / 'annotations' / 'test.json', "give one that has 'annotations', too")
        write('test', {'images': images, 'annotations': []})


check('pictures without captions', pictures_without_captions)


def splits_of_images(folder):
    """COCO's form, with a split in each image's row."""
    rows = {'a': 'test', 'b': 'train', 'c': 'validation', 'd': 'train'}
    put_pictures(folder, rows)
    write = lambda splits: (folder / 'x.json').write_text(json.dumps({
        'images': [{'id': k, 'file_name': f'{k}.jpg', **({'split': splits[k]} if k in splits else {})} for k in rows],
        'annotations': [{'image_id': k, 'caption': c} for k in rows for c in (f'of {k}', '!')]}))
    write(rows)
    got, said = pack(folder / 'x.json')
    assert [(r['split'], r['image_id']) for r in got] == [('train', 'b'), ('train', 'd'), ('val', 'c'), ('test', 'a')], got
    assert said.count('4 captions without a word') == 1 and 'no split in the data' not in said, said
    write({'a': 'test', 'b': 'train'})
    refused(folder / 'x.json', 'image id c: has no split, and other images have one')
    write({**rows, 'c': 'minival'})
    refused(folder / 'x.json', "images row 2: split 'minival' is none of train, val, test")
    write({})
    assert 'no split in the data' in pack(folder / 'x.json')[1]


check('splits of images', splits_of_images)


def json_objects(folder):
    put_pictures(folder, SMALL)
    (folder / 'x.json').write_text(json.dumps({'name': 'TextCaps', 'data': [{'image': 'a.jpg', 'caption': 'x'}]}))
    refused(folder / 'x.json', "is a JSON object whose 'data' is a list of rows: save that list as a file")
    (folder / 'x.json').write_text('{"tokens": [1], "a.jpg": "x"}')
    refused(folder / 'x.json', 'is a JSON object with tokens, a.jpg', '[{"image": PATH, "caption": TEXT}, ...]')
    (folder / 'a.jpg').write_text('<html>not found</html>')
    (folder / 'x.json').write_text('[{"image": "a.jpg", "caption": "x"}]')
    refused(folder / 'x.json', 'a.jpg: none of JPEG, PNG, WebP, GIF, BMP and TIFF, by its first bytes; save it as one of them')


check('JSON objects', json_objects)


def what_lies_beside(folder):
    as_side_files(folder)
    (folder / 'config.json').write_text('{"width": 3}')
    refused(folder, 'config.json: is a JSON object with width', '--form folder')
    rows, _ = pack(folder, '--form', 'folder')
    assert captions_of(rows) == {k: c for k, (_, c) in SMALL.items()}, rows
    (folder / 'config.json').unlink()
    write_csv(folder / 'captions.csv', ['image', 'caption'], [(f'{k}.jpg', f'{c} of a table') for k, _, c in flat(SMALL)])
    rows, said = pack(folder)
    assert captions_of(rows) == {k: [f'{c} of a table'] for k, _, c in flat(SMALL)}, rows
    assert 'texts beside the pictures are left out; --form folder takes these instead' in said, said
    (folder / 'captions.csv').rename(folder / 'metadata.csv')
    (folder / 'metadata.jsonl').write_text('{"file_name": "a.jpg", "text": "x"}\n')
    refused(folder, 'metadata.jsonl and metadata.csv: a folder has one of them')


check('what lies beside', what_lies_beside)


def links_and_pipes(folder):
    as_side_files(folder / 'real')
    (folder / 'x').mkdir()
    (folder / 'x' / 'train').symlink_to('../real')
    refused(folder / 'x', 'it holds nothing and 1 links to folders, which are left out')
    as_side_files(folder / 'x', {'d': ('', ['four']), 'e': ('', ['five'])})
    rows, said = pack(folder / 'x')
    assert sorted(captions_of(rows)) == ['d', 'e'] and 'links to folders are left out, 1 of them (the first: train)' in said, said
    os.mkfifo(folder / 'real' / 'd.txt')
    shutil.copy(PICTURES[3], folder / 'real' / 'd.jpg')
    refused(folder / 'real', 'd.txt is not a regular file')


check('links and pipes', links_and_pipes)


def compressed(folder):
    put_pictures(folder, SMALL)
    text = b'{"image": "a.jpg", "caption": "x"}\n'
    for name, bytes_of in ('x.jsonl.gz', gzip.compress(text)), ('x.bz2', bz2.compress(text)), ('x.xz', lzma.compress(text)):
        (folder / name).write_bytes(bytes_of)
        refused(folder / name, f'{name}: is compressed: unpack it', words=('--images', folder))
    # a tar is told by what is in it
    write_tar(folder / 'y.gz', [(k, PICTURES[n], c) for n, (k, (_, c)) in enumerate(SMALL.items())], 'w:gz')
    assert captions_of(pack(folder / 'y.gz')[0]) == {k: c for k, (_, c) in SMALL.items()}
    write_tar(folder / 'y.tar', [('/abs/k', PICTURES[0], ['x'])])
    refused(folder / 'y.tar', 'member /abs/k.jpg', 'make the tar with names below its folder')
    (folder / 'p').mkdir()
    (folder / 'p' / 'train-00000.parquet').write_bytes(b'PAR1')
    refused(folder / 'p', 'it holds 1 .parquet', 'metadata.jsonl', 'tarfile')


check('compressed', compressed)


def prompt(folder):
    as_side_files(folder)
    digests = [pack(folder, '--prompt', text, digest=True)[0] for text in ('photo of', 'photo of ', '', 'photo o')]
    assert digests[0] == digests[1] and len(set(digests)) == 3, digests
    assert "prompt 'photo o '" in run('--info', scratch / 'out.h5')
    refused(folder, '--prompt must be one line', code=64, words=('--prompt', 'a\nb'))


check('--prompt', prompt)

def names_spelled_otherwise(folder):
    for name in 'A.jpg', 'cafe\u0301.jpg', 'c.png', 'd.jpg':
        shutil.copy(PICTURES[0], folder / name)
    write_csv(folder / 'x.csv', ['image', 'caption'], [(n, 'x') for n in ('a.JPG', 'caf\u00e9.jpg', 'c.jpg', 'd.jpg', 'e.jpg')])
    said = refused(folder / 'x.csv', '4 images are missing', code=66)
    lines = {line.split(' (named')[0].rsplit('/', 1)[1]: line for line in said.splitlines() if 'no such file' in line}
    for name, other in ('a.JPG', 'A.jpg'), ('caf\u00e9.jpg', 'cafe\u0301.jpg'), ('c.jpg', 'c.png'):
        assert lines[name].endswith(f'; there is {other}, whose case, accents or ending differ'), lines
    assert 'there is' not in lines['e.jpg'], lines


check('names spelled otherwise', names_spelled_otherwise)


def damage_and_limits(folder):
    as_side_files(folder)
    pack(folder, '--encoding', 'file')
    out = scratch / 'out.h5'
    whole = bytearray(out.read_bytes())
    whole[whole.index(PICTURES[0].read_bytes()) + 500] ^= 1
    out.write_bytes(whole)
    said = run('--check', out, code=65)
    assert 'elements are damaged:\n  ' in said and said.endswith('\n  pack the file again\n') and '\\u' not in said, said
    # a limit of files' sizes, as a cluster may have: told as a full disk is
    limited = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000))
    done = subprocess.run([BIN / 'coco_pack', folder, '--out', scratch / 'limited.h5'], capture_output=True, text=True, preexec_fn=limited)
    assert done.returncode == 74 and 'File too large' in done.stderr, (done.returncode, done.stderr)
    assert not list(scratch.glob('limited.h5*'))


check('damage and limits', damage_and_limits)

finish()
