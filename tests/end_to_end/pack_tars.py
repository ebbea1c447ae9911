"""Run by pack_tars.sh. Tars are written by Python's tarfile; the folder form says what they hold."""
import gzip
import json
import os
import pathlib
import sys
import tarfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / 'support'))
from packing import PICTURES, add_to_tar, captions_of, check, finish, pack, put_pictures, refused, run, scratch, write_tar


def tars(folder):
    """As WebDataset has them: Python's tarfile writes them, and the folder form says what they hold."""
    rows = {f'{n:05d}': ('', [f'caption {n}', f'number {n}']) for n in range(len(PICTURES))}
    put_pictures(folder / 'files', rows)
    for key, (_, captions) in rows.items():
        (folder / 'files' / f'{key}.txt').write_text('\n'.join(captions))
    digest, by_files, _ = pack(folder / 'files', digest=True)
    samples = [(k, folder / 'files' / f'{k}.jpg', c) for k, (_, c) in rows.items()]
    (folder / 't').mkdir()
    for n in range(4):
        write_tar(folder / 't' / f'x{n:04d}.tar', samples[3 * n:3 * n + 3])
    names = [folder / 't' / f'x{n:04d}.tar' for n in range(4)]
    for words in [(folder / 't',), ('--from', folder / 't' / 'x{0000..0003}.tar'), names, ('--from', names[0], *names[1:]),
                  (folder / 't', '--encoding', 'file'), (folder / 't', '--skip-bad', '--threads', 3), (folder / 't', '--form', 'webdataset')]:
        got, packed, said = pack(*words, digest=True)
        assert got == digest and captions_of(packed) == captions_of(by_files), (words, said)
        assert 'WebDataset' in said and 'no split in the data' in said and 'end mark' not in said, said
    # the members' bytes are kept as they are
    pack(folder / 't', '--encoding', 'file')
    packed = (scratch / 'out.h5').read_bytes()
    assert all(picture.read_bytes() in packed for picture in PICTURES)
    # texts and pictures apart, names of any alphabet and length, ./ before them, what systems add; keys end at the first dot
    named = {'./猫/ä ö': 'one', 'a.b/' + 'long' * 60: 'two', 'c': 'three'}
    for form in tarfile.PAX_FORMAT, tarfile.GNU_FORMAT:
        with tarfile.open(folder / 'y.tar', 'w', format=form) as tar:
            add_to_tar(tar, './._c.jpg', b'?')
            for key, caption in named.items():
                add_to_tar(tar, f'{key}.txt', caption.encode())
            for picture, key in zip(PICTURES, named):
                add_to_tar(tar, f'{key}.v2.jpg', picture.read_bytes())
        for locale in 'C', 'C.UTF-8':
            os.environ['LC_ALL'] = locale
            got, _ = pack(folder / 'y.tar')
            del os.environ['LC_ALL']
            assert captions_of(got) == {k.removeprefix('./'): [c] for k, c in named.items()}, got
    # the header behind a long block of EXIF data, which the first look at a picture does not reach
    picture = PICTURES[0].read_bytes()
    long_block = b'\xff\xe1' + (60002).to_bytes(2, 'big') + b'Exif\0\0' + bytes(59994)
    with tarfile.open(folder / 'y.tar', 'w') as tar:
        add_to_tar(tar, 'far.jpg', picture[:2] + long_block + picture[2:])
        add_to_tar(tar, 'far.txt', b'far')
        add_to_tar(tar, 'near.jpg', picture)
        add_to_tar(tar, 'near.txt', b'near')
    got, said = pack(folder / 'y.tar', '--encoding', 'file')
    assert sorted(r['captions'] for r in got) == [['far'], ['near']], got
    assert '1 picture has the pixels of one under another key' in said, said
    # ids, columns, splits in JSON; the text is what counts beside it
    with tarfile.open(folder / 'y.tar', 'w') as tar:
        for n, more in enumerate([{'image_id': 7, 'said': 'a'}, {'id': 'u', 'said': ['b', 'c']}, {'said': 'no', 'uid': float('nan')}]):
            add_to_tar(tar, f'{n}.json', json.dumps({**more, 'split': 'val' if n else 'train'}).encode())
            add_to_tar(tar, f'{n}.webp', picture)
        add_to_tar(tar, '2.caption', b'd\n\ne\n')
    got, _ = pack(folder / 'y.tar', '--caption-column', 'said')
    assert [(r['split'], r['image_id'], r['captions']) for r in got] == [
        ('train', 7, ['a']), ('val', 'u', ['b', 'c']), ('val', '2', ['d', 'e'])], got


check('tars', tars)


def bad_tars(folder):
    good = [(f'k{n}', PICTURES[n], [f'caption {n}']) for n in range(4)]
    file = folder / 'x.tar'
    write_tar(file, [*good, ('lone', PICTURES[4], None), ('lost', None, ['text'])])
    got, said = pack(file)
    assert len(got) == 4 and 'x.tar: 1 samples have no caption and are left out (the first: member lone.jpg)' in said, said
    assert 'x.tar: 1 samples have no picture and are left out (the first: member lost.txt)' in said, said
    whole = file.read_bytes()
    with tarfile.open(file) as tar:
        last_picture = tar.getmember('lone.jpg').offset_data
        last_text = tar.getmember('lost.txt')
    for cut in 100, last_picture - 1000, last_picture + 1000, last_text.offset_data - 300, last_text.offset_data + 2:
        file.write_bytes(whole[:cut])
        refused(file, 'x.tar', 'fetch', *([] if cut == 100 else ['member']))
    file.write_bytes(whole[:last_text.offset_data + 512])
    _, said = pack(file)
    assert 'x.tar: the tar has no end mark and may be cut off after member lost.txt' in said, said
    file.write_bytes(whole[:1000])
    with open(file, 'r+b') as stream:    # another picture than its name says, and a wrong header
        stream.write(b'y')
    refused(file, 'x.tar')
    zipped = folder / 'x.tar.gz'
    zipped.write_bytes(gzip.compress(whole)[:-3000])
    refused(zipped, 'x.tar.gz', 'truncated gzip input', 'fetch it again')
    zipped.write_bytes(gzip.compress(b'image,caption\n'))
    refused(zipped, 'is no tar that can be read', 'unpack')
    write_tar(file, [])
    refused(file, 'has no row about a picture')
    write_tar(file, [('../../k', PICTURES[0], ['x'])])
    refused(file, "x.tar: member ../../k.jpg: path '../../k.jpg'", 'data_prep/README.md')
    write_tar(file, [('/etc/k', PICTURES[0], ['x'])])
    refused(file, 'member /etc/k.jpg')
    write_tar(file, [good[0], good[0]])
    refused(file, 'x.tar: member k0.jpg: is of the same sample as k0.jpg: give each sample a key of its own')
    write_tar(file, good)
    write_tar(folder / 'y.tar', good[1:2])
    said = run(file, folder / 'y.tar', '--out', scratch / 'no.h5', code=65)
    assert "y.tar: member k1.jpg: has the key 'k1', which the one in x.tar, member k1.jpg has too" in said, said
    write_tar(file, [('k', PICTURES[0], {'words': 'x'})])
    refused(file, 'x.tar: member k.jpg: no column is known for the caption', 'words', '--caption-column')
    for bytes_of, name, *parts in [(b'{"caption": ', 'k.json', 'line 1', 'malformed'), (b'[1]', 'k.json', 'not an object'),
                                   (b'na\xefve', 'k.txt', 'line 1, column 3', 'Latin-1'), (b'{"caption": "\xff"}', 'k.json', 'UTF-8')]:
        with tarfile.open(file, 'w') as tar:
            add_to_tar(tar, 'k.jpg', PICTURES[0].read_bytes())
            add_to_tar(tar, name, bytes_of)
        refused(file, f'x.tar/{name}', *parts)
    with tarfile.open(file, 'w') as tar:
        for name in 'a', 'b':
            add_to_tar(tar, f'{name}.jpg', PICTURES[0].read_bytes()[:-500 if name == 'b' else None])
            add_to_tar(tar, f'{name}.txt', b'x')
    refused(file, '1 image is damaged', 'x.tar/b.jpg', 'x.tar, member b.jpg', '--skip-bad')
    got, said = pack(file, '--skip-bad', '--split-by-hash', 'val=0,test=0')
    assert [r['image_id'] for r in got] == ['a'] and 'x.tar/b.jpg' in said, said
    refused(folder / 'x{0..2}.tar', 'x0.tar: no such file', code=66)
    refused(folder / 'x{2..0}.tar', 'range', code=64)
    refused(file, 'the pictures are in the tars', code=64, words=('--images', folder))
    said = run(file, folder, '--out', scratch / 'no.h5', code=64)
    assert 'one file or folder is packed at a time, or tars' in said, said


check('bad tars', bad_tars)

finish()
