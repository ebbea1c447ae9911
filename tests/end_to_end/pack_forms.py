"""Run by pack_forms.sh. Pictures are drawn by make_sample; what each form must give is what was written into it by Python's csv and
json, read back by `coco_pack --info --rows`."""
import base64
import collections
import csv
import html.parser
import io
import json
import os
import pathlib
import re
import shutil
import sys
import tarfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / 'support'))
from packing import (PICTURES, ROWS, SPLITS, captions_of, check, expected, finish, flat, pack, put_pictures, refused, run, scratch,
                     skip, write_csv, write_tar)

CASES = pathlib.Path(os.environ.get('BLIP_CASES', '../shared/cases')).resolve()


# The same pictures, keys, splits and captions, in the forms that can hold them.
def as_csv(folder):
    write_csv(folder / 'captions.csv', ['image', 'caption', 'split'], [(f'{k}.jpg', c, s) for k, s, c in flat()])


def as_tsv(folder):
    write_csv(folder / 'captions.tsv', ['filepath', 'text', 'split'], [(f'{k}.jpg', c, s) for k, s, c in flat()], delimiter='\t')


def as_json_lines(folder):
    (folder / 'all.jsonl').write_text(''.join(json.dumps({'image': f'{k}.jpg', 'caption': c, 'split': s}) + '\n'
                                              for k, (s, c) in ROWS.items()))


def as_json_list(folder):
    (folder / 'all.json').write_text(json.dumps([{'path': f'{k}.jpg', 'captions': c, 'split': s} for k, (s, c) in ROWS.items()]))


def as_side_files(folder):
    for number, (key, (_, captions)) in enumerate(ROWS.items()):
        (folder / f'{key}{".caption" if number % 2 else ".txt"}').write_text('\n'.join(captions) + '\n')


def as_imagefolder(folder):
    for split in SPLITS:
        (folder / split / 'metadata.jsonl').write_text(''.join(
            json.dumps({'file_name': pathlib.Path(k).name + '.jpg', 'text': c}, ensure_ascii=False) + '\n'
            for k, (s, c) in ROWS.items() if s == split))


def as_imagefolder_csv(folder):
    write_csv(folder / 'metadata.csv', ['file_name', 'text'], [(f'{k}.jpg', c) for k, s, c in flat()])


def as_karpathy(folder):
    for split in SPLITS:
        rows = [{'image': f'{k}.jpg', 'caption': c} for k, s, c in flat() if s == split]
        if split != 'train':
            rows = [{'image': f'{k}.jpg', 'caption': c} for k, (s, c) in ROWS.items() if s == split]
        (folder / f'coco_karpathy_{split}.json').write_text(json.dumps(rows))


def as_coco(folder):
    for split in SPLITS:
        (folder / f'{split}.json').write_text(json.dumps({
            'images': [{'id': k, 'file_name': f'{k}.jpg'} for k, (s, _) in ROWS.items() if s == split],
            'annotations': [{'image_id': k, 'caption': c} for k, s, c in flat() if s == split]}))


def as_tars(folder):
    """In the tars alone: three of train, one of them compressed."""
    pictures = {k: folder / f'{k}.jpg' for k in ROWS}
    rows = {s: [(k, pictures[k], c if n % 2 else {'caption': c, 'width': 1, 'key': 'no'})
                for n, (k, (own, c)) in enumerate(ROWS.items()) if own == s] for s in SPLITS}
    for n in range(3):
        write_tar(folder / f'mine-train-{n:04d}.tar{".gz" if n == 1 else ""}', rows['train'][n * 3:n * 3 + 3], 'w:gz' if n == 1 else 'w')
    write_tar(folder / 'mine-val.tar', rows['val'], format=tarfile.PAX_FORMAT)
    write_tar(folder / 'mine-test.tgz', rows['test'], 'w:gz', format=tarfile.GNU_FORMAT)
    for split in SPLITS:
        shutil.rmtree(folder / split)


FORMS = [as_tars, as_csv, as_tsv, as_json_lines, as_json_list, as_side_files, as_imagefolder, as_imagefolder_csv, as_karpathy, as_coco]
digests = {}


def one_form(write):
    def test(folder):
        put_pictures(folder)
        write(folder)
        digest, rows, _ = pack(folder, digest=True)
        # the pictures of a folder come in its order
        wanted = sorted(expected(), key=lambda row: row['file_name']) if write is as_side_files else expected()
        wanted.sort(key=lambda row: list(SPLITS).index(row['split']))
        assert sorted(map(json.dumps, rows)) == sorted(map(json.dumps, wanted)), rows
        digests[write.__name__] = digest
    return test


for form in FORMS:
    check(form.__name__, one_form(form))


def equal_digests(_):
    # names sort as they were written: the orders are equal, too
    assert len(set(digests.values())) == 1 and len(digests) == len(FORMS), digests


check('the same data have the same digest in every form', equal_digests)


def pack_is_a_verb(folder):
    put_pictures(folder)
    as_csv(folder)
    digest = re.search('data digest ([0-9a-f]{16})', run('pack', folder, '--out', scratch / 'verb.h5', program='blip_mpi'))[1]
    assert digest == digests['as_csv'], digest
    for words in [('pack', '--from', folder / 'captions.csv', '--form', 'table', '--out', scratch / 'v2.h5')]:
        assert digest in run(*words, program='blip_mpi')
    assert '--split-by-hash' in run('help', 'pack', program='blip_mpi')
    assert '\n  pack ' in run('help', program='blip_mpi')


check('blip_mpi pack', pack_is_a_verb)

SMALL = {'a': ('', ['one']), 'sub/b c': ('', ['two']), 'sub/猫': ('', ['three'])}


def shuffled(rows):
    return sorted(rows, key=lambda row: row['file_name'])


def csv_as_python_reads_it(folder):
    rows = {'a': ('', ['say "hi", twice', 'a\nline, broken', '  blanks  ']), 'sub/b c': ('', ['ümläut ''x''', 'end\r\nof']),
            'sub/d': ('', ['quote " within'])}
    put_pictures(folder, rows)
    for form in [{}, {'quoting': csv.QUOTE_ALL}, {'delimiter': ';'}, {'delimiter': '\t'}, {'lineterminator': '\n'}]:
        for bom in '', '\ufeff':
            text = io.StringIO(newline='')
            csv.writer(text, **form).writerows([('Image ', 'CAPTION'), *((f'{k}.jpg', c) for k, _, c in flat(rows))])
            (folder / 'x.csv').write_bytes((bom + text.getvalue()).encode())
            read = list(csv.reader(io.StringIO(text.getvalue(), newline=''), **{k: v for k, v in form.items() if k == 'delimiter'}))[1:]
            wanted = {}
            for file, caption in read:
                wanted.setdefault(file[:-4], []).append(caption)
            got, _ = pack(folder / 'x.csv')
            assert captions_of(got) == wanted, (form, captions_of(got), wanted)


check('CSV', csv_as_python_reads_it)


def columns(folder):
    put_pictures(folder, SMALL)
    write_csv(folder / 'x.csv', ['note', 'where', 'said', 'caption'], [('-', f'{k}.jpg', c, 'no') for k, _, c in flat(SMALL)])
    refused(folder / 'x.csv', 'line 2: no column is known for the picture; there are: caption, note, said, where; name it with --image-column')
    refused(folder / 'x.csv', '--caption-column', words=('--image-column', 'where', '--caption-column', 'sayd'))
    rows, _ = pack(folder / 'x.csv', '--image-column', 'where', '--caption-column', 'said')
    assert captions_of(rows) == {k: c for k, (_, c) in SMALL.items()}, rows
    # no heading
    (folder / 'x.csv').write_text(''.join(f'{k}.jpg,{c}\n' for k, _, c in flat(SMALL)))
    rows, _ = pack(folder / 'x.csv')
    assert captions_of(rows) == {k: c for k, (_, c) in SMALL.items()}, rows


check('columns', columns)


def flickr(folder):
    names = ['1000268201_693b08cb0e', '1001773457_577c3a7d70', '1002674143_1b742ab4b8', '1003163366_44323f5815']
    rows = {name: ('', [f'A child {n} .', f'child {n} , again']) for n, name in enumerate(names)}
    put_pictures(folder / 'Flicker8k_Dataset', rows)
    text = folder / 'Flickr8k_text'
    text.mkdir()
    (text / 'Flickr8k.token.txt').write_text(''.join(f'{k}.jpg#{n}\t{c}\n' for k, (_, cs) in rows.items() for n, c in enumerate(cs)))
    for part, some in ('train', names[:2]), ('dev', names[2:3]), ('test', names[3:]):
        (text / f'Flickr_8k.{part}Images.txt').write_text(''.join(f'{name}.jpg\n' for name in some))
    got, said = pack(folder)
    assert [(r['split'], r['image_id'], r['file_name'], r['captions']) for r in got] == [
        (s, k, f'Flicker8k_Dataset/{k}.jpg', rows[k][1]) for k, s in zip(names, ['train', 'train', 'val', 'test'])], got
    assert 'the lists of train, dev and test images' in said
    # Kaggle's
    shutil.rmtree(text)
    (folder / 'Flicker8k_Dataset').rename(folder / 'Images')
    write_csv(folder / 'captions.txt', ['image', 'caption'], [(f'{k}.jpg', c) for k, _, c in flat(rows)])
    got, _ = pack(folder)
    assert captions_of(got) == {k: c for k, (_, c) in rows.items()}, got
    (folder / 'captions.txt').unlink()
    (folder / 'results.csv').write_text('image_name| comment_number| comment\n' + ''.join(
        f'{k}.jpg| {n}| {c}\n' for k, (_, cs) in rows.items() for n, c in enumerate(cs)))
    got, _ = pack(folder)
    assert captions_of(got) == {k: c for k, (_, c) in rows.items()}, got


check('Flickr', flickr)


def llava(folder):
    put_pictures(folder / 'images', {k: 0 for k in SMALL})
    turns = lambda said: [{'from': 'human', 'value': '<image>\nDescribe.'}, {'from': 'gpt', 'value': said},
                          {'from': 'human', 'value': 'Why?'}, {'from': 'gpt', 'value': 'Because.'}]
    rows = [{'id': f'r{n}', 'image': f'{k}.jpg', 'conversations': turns(c)} for n, (k, _, c) in enumerate(flat(SMALL))]
    (folder / 'chat.json').write_text(json.dumps(rows + [{'id': 'text', 'conversations': turns('no picture')}]))
    got, said = pack(folder)
    assert captions_of(got) == {f'r{n}': [c] for n, (_, _, c) in enumerate(flat(SMALL))}, got
    assert "LLaVA's conversations" in said
    # an id for each row is none of the picture
    rows.append({'id': 'r9', 'image': 'a.jpg', 'conversations': turns('more')})
    (folder / 'chat.json').write_text(json.dumps(rows))
    got, _ = pack(folder)
    assert captions_of(got) == {'a': ['one', 'more'], 'sub/b c': ['two'], 'sub/猫': ['three']}, got


check('LLaVA', llava)


def by_hash(folder):
    def pictures(count):
        for n in range(count):
            shutil.copy(PICTURES[n % len(PICTURES)], folder / f'p{n}.jpg')
            (folder / f'p{n}.txt').write_text(f'caption {n}\n')
        rows, said = pack(folder, '--split-by-hash', 'val=20,test=10')
        return {row['image_id']: row['split'] for row in rows}
    some, more = pictures(60), pictures(120)
    assert {k: more[k] for k in some} == some
    counts = {s: list(more.values()).count(s) for s in SPLITS}
    assert 12 <= counts['val'] <= 36 and 4 <= counts['test'] <= 22, counts
    rows, said = pack(folder)
    assert 'no split in the data: pictures are dealt by their keys, 5 % val and 5 % test' in said
    for bad in 'val', 'val=50,test=50', 'val=-1', 'train=5', 'val=x', 'val=5;test=5', 'val=5,':
        refused(folder, '--split-by-hash', code=64, words=('--split-by-hash', bad))
    shutil.rmtree(folder)
    folder.mkdir()
    put_pictures(folder, SMALL)
    write_csv(folder / 'x.csv', ['image', 'caption'], [(f'{k}.jpg', c) for k, _, c in flat(SMALL)])
    rows, _ = pack(folder)
    assert sorted(row['split'] for row in rows) == ['test', 'train', 'val'], rows
    put_pictures(folder)
    as_csv(folder)
    refused(folder / 'captions.csv', 'these have one', code=64, words=('--split-by-hash', 'val=5'))


check('--split-by-hash', by_hash)


def where_pictures_are(folder):
    put_pictures(folder / 'elsewhere', SMALL)
    (folder / 'x').mkdir()
    table = folder / 'x' / 'captions.csv'
    write_csv(table, ['image', 'caption'], [(f'{k}.jpg', c) for k, _, c in flat(SMALL)])
    refused(table, '3 images are missing', '--images', code=66)
    rows, _ = pack(table, '--images', folder / 'elsewhere')
    assert captions_of(rows) == {k: c for k, (_, c) in SMALL.items()}, rows
    refused(table, 'no such folder', code=66, words=('--images', folder / 'nowhere'))
    # absolute paths of the folder are paths in it; others are refused
    write_csv(table, ['image', 'caption'], [(folder / 'elsewhere' / f'{k}.jpg', c) for k, _, c in flat(SMALL)])
    rows, _ = pack(table, '--images', folder / 'elsewhere')
    assert captions_of(rows) == {k: c for k, (_, c) in SMALL.items()}, rows
    refused(table, 'line 2', 'leaves', '--images')


check('where pictures are', where_pictures_are)


def bad_input(folder):
    put_pictures(folder, SMALL)
    def table(text, *parts, name='x.csv', code=65, words=()):
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        refused(folder / name, name, *parts, code=code, words=words)
    table('', 'is empty')
    table('image,caption\n', 'no row')
    table('image,caption\na.jpg,x\n../a.jpg,x\n', 'line 3', "path '../a.jpg'")
    table('image,caption\na.jpg,x\n/etc/passwd,x\n', 'line 3', 'leaves')
    table('image,caption\nhttps://x.org/a.jpg,x\n', 'line 2', 'download')
    table('image,caption\na.jpg,"x\ny.jpg,z\n', "line 2: a cell's quote does not end")
    table('image,caption\na.jpg,x,y\n', 'line 2: has 3 cells, the heading 2')
    table('image,caption,split\na.jpg,x,trian\n', 'line 2', 'trian')
    table('image,caption,split\na.jpg,x,train\nsub/b c.jpg,y,\n', 'line 3: has no split')
    table('image,caption,image_id\na.jpg,x,7\nsub/b c.jpg,y,7\n', "line 3: image id 7 stands for 'a.jpg' and for 'sub/b c.jpg'", 'an id of its own')
    table('image,caption\na.jpg,\nsub/b c.jpg," . "\n', 'no image with a caption')
    table('image,caption\na.jpg,caf\u00e9\n'.encode('latin-1'), 'line 2, column 10', '0xe9', 'Latin-1', 'iconv')
    table('image,caption\na.jpg,x\n'.encode('utf-16'), 'UTF-16', 'iconv')
    table(json.dumps([{'image': 'a.jpg', 'caption': 'x'}]).encode('utf-16'), 'UTF-16', name='x.json')
    table('hello\n', 'first line has one cell')
    table('image' + 'x' * 60000 + ',caption\na.jpg,x\n', 'no column is known for the picture')
    table('{"file_name": "' + 'a' * 200000 + '.jpg", "text": "x"}\n', 'line 1', 'has 200004 bytes', name='x.jsonl')
    table('{"file_name": "a.jpg", "text": "x"}\n{"file_name": \n', 'line 2', 'malformed JSON', name='x.jsonl')
    table('{"file_name": "a.jpg", "text": 1e999}\n', 'line 1', 'too large', name='x.jsonl')
    table('{"file_name": "a.jpg", "text": 7}\n', 'line 1', 'neither a text nor a list', name='x.jsonl')
    table('{"file_name": "a.jpg", "text": "x"}\n[1]\n', 'line 2: is not an object', name='x.jsonl')
    table('[{"image": "a.jpg", "caption": "x"}, {"image": 3, "caption": "x"}]', 'row 1', 'not a text', name='x.json')
    table('[{"image": "a.jpg", "caption": "x", "image_id": 1.5}]', 'row 0', 'image_id', name='x.json')
    table('[{"image": "a.jpg", "caption": "x", "image_id": 1e30}]', 'row 0', 'write it as a text', name='x.json')
    table('[{"image": "a.jpg"', 'malformed JSON', name='x.json')
    table('{"a": 1}', 'is a JSON object with a', "'images' and 'annotations'", name='x.json')
    table('[1, 2]', 'nearest is', name='x.json')
    table('a.jpg#0\tx\nsub/b c.jpg y\n', 'line 2', 'a tab and a caption', name='x.token')
    table(b'PAR1' + bytes(100), 'parquet', 'metadata.jsonl', 'tarfile', name='x.parquet')
    table(b'PK\x03\x04' + bytes(100), 'unpack', name='x.zip')
    table((scratch / 'out.h5').read_bytes()[:1000], 'train --data', name='x.h5')
    table(PICTURES[0].read_bytes(), 'neither text nor a folder', name='a.jpg')
    put_pictures(folder, SMALL)
    table('image,caption\na.jpg,x\nnot_there.jpg,y\n', 'not_there.jpg (named in x.csv, line 3)', '--skip-bad', code=66)
    (folder / 'x.csv').write_text('image,caption\na.jpg,x\na.jpg,\nsub/b c.jpg,z\n')
    _, said = pack(folder / 'x.csv')
    assert 'x.csv, line 3' in said and '1 captions without a word' in said, said
    refused(folder / 'nowhere', 'no such file or folder', code=66)
    refused(folder / 'x.csv', 'is a table', '--form llava', words=('--form', 'llava'))
    refused(folder, 'holds several files of captions')
    for file in folder.glob('x.*'):
        file.unlink()
    refused(folder, 'no form of data is recognised', '3 .jpg', 'NAME.txt')
    (folder / 'a.txt').write_text('one\n')
    (folder / 'lost.txt').write_text('two\n')
    (folder / 'sub' / 'b c.caption').write_bytes(b'na\xefve\n')
    refused(folder, 'b c.caption', 'line 1, column 3', 'Latin-1')
    (folder / 'sub' / 'b c.caption').write_text('x')
    _, said = pack(folder)
    assert f'1 picture in {folder} without a caption is left out' in said and '猫' in said and '1 text files belong to no picture' in said and 'lost.txt' in said, said
    shutil.copy(PICTURES[0], folder / 'a.jpeg')
    refused(folder, "image id a stands for 'a.jpeg' and for 'a.jpg'")
    refused(scratch / 'empty' if (scratch / 'empty').mkdir() is None else '', 'it holds nothing')


check('bad input', bad_input)


def told_before_packing(folder):
    put_pictures(folder, SMALL)
    write_csv(folder / 'x.csv', ['image', 'caption'], [('a.jpg', ' '.join(['dog'] * 31)), ('a.jpg', ' '.join(['dog'] * 30)),
                                                     ('sub/b c.jpg', 'antidisestablishmentarianism ' * 9), ('sub/猫.jpg', '𓀀 𓀁 𓀂 𓀃 𓀄 𓀅 𓀆')])
    _, said = pack(folder / 'x.csv', '--split-by-hash', 'val=0,test=0')
    assert 'train: 3 images, 4 captions' in said and '2 captions of more than 30 words or 40 tokens' in said, said
    assert 'warning: the word list has no words for these captions' in said, said
    write_csv(folder / 'x.csv', ['image', 'caption'], [('a.jpg', 'a dog runs')])
    _, said = pack(folder / 'x.csv')
    assert '0.0 % of the captions' in said and 'warning' not in said and 'under another key' not in said, said
    # the ten longest, by WordPiece's rule; letters that stand alone
    texts = [' '.join(['dog'] * n) for n in (3, 12, 30, 31, 36, 45, 7, 9)] + ['antidisestablishmentarianism ' * 9, 'унинский крабик', 'a', 'an owl', 'zzq']
    write_csv(folder / 'x.csv', ['image', 'caption'], [('a.jpg', text) for text in texts])
    _, said = pack(folder / 'x.csv', '--split-by-hash', 'val=0,test=0')
    lists = [pieces(text) for text in texts]
    lengths = sorted((5 + len(words) for words in lists), reverse=True)
    assert f'{sum(n > 40 for n in lengths)} captions have more than 40 tokens' in said, said
    listed = re.findall('  ([0-9]+) tokens, train a [(]a.jpg[)]: (.*)', said)
    assert [int(n) for n, _ in listed] == lengths[:10] and listed[0][1].startswith('antidis'), (listed, lengths)
    trained = [words for text, own in zip(texts, lists) for words in [pieces(' '.join(text.split()[:30]))[:35]]]
    alone = sum(len(word.removeprefix('##')) == 1 and (word[0] == '#' or word > '~') for words in trained for word in words)
    share = 100 * alone / sum(map(len, trained))
    assert share > 5 and f'{share:.1f} % letters of words' in said and 'warning: the word list' in said, (share, said)


def pieces(text):
    """BERT's WordPiece of lower case words without accents."""
    vocabulary = set(pathlib.Path('data_prep/bert-base-uncased-vocab.txt').read_text().split('\n'))
    found = []
    for word in text.replace('й', 'и').split():
        begin, own = 0, []
        while begin < len(word):
            end = next((end for end in range(len(word), begin, -1) if '##'[:2 * (begin > 0)] + word[begin:end] in vocabulary), None)
            if end is None:
                own = ['[UNK]']
                break
            own.append('##'[:2 * (begin > 0)] + word[begin:end])
            begin = end
        found += own
    return found


check('told before packing', told_before_packing)


def equal_pictures(folder):
    put_pictures(folder, SMALL)
    as_side = {k: folder / f'{k}.txt' for k in [*SMALL, 'copy', 'z']}
    for key, file in as_side.items():
        file.write_text(key)
    shutil.copy(folder / 'a.jpg', folder / 'copy.jpg')
    shutil.copy(folder / 'a.jpg', folder / 'z.jpg')
    for words in (), ('--encoding', 'file', '--threads', 3):
        _, said = pack(folder, '--split-by-hash', 'val=0,test=0', *words)
        assert '2 pictures have the pixels of one under another key; kept:\n  train a and train copy\n  train a and train z\n' in said, said


check('equal pictures', equal_pictures)


def samples_and_sheet(folder):
    hard = '<script>alert("1")</script> & \'Two\' <b>Dogs</b>.'
    rows = {f'{n:03d}': ('', [f'Number {n}.', hard]) for n in range(70)}
    for n, key in enumerate(rows):
        shutil.copy(PICTURES[n % len(PICTURES)], folder / f'{key}.jpg')
        (folder / f'{key}.txt').write_text('\n'.join(rows[key][1]))
    packed, _ = pack(folder)
    said = run('--info', scratch / 'out.h5', '--sheet', folder / 'sheet.html')
    for split in SPLITS:
        own = [row['image_id'] for row in packed if row['split'] == split]
        shown = re.findall(r'\n  ([0-9]{3}) \(\1.jpg\)\n    number ([0-9]+)\n    (.*)', said[said.index(f'\n{split}: '):])[:min(3, len(own))]
        # the reference's pre_caption
        clean = re.sub(r'\s{2,}', ' ', re.sub(r'([.!\"()*#:;~])', ' ', hard.lower())).strip(' ')
        assert len(set(shown)) == min(3, len(own)) and all(k in own and int(k) == int(n) and text == clean for k, n, text in shown), said

    class Page(html.parser.HTMLParser):
        tags, texts, pictures, within = collections.Counter(), [], [], False

        def handle_starttag(self, tag, attributes):
            self.tags[tag] += 1
            self.texts += [''] * (tag == 'li')
            if tag == 'img':
                self.pictures.append(base64.b64decode(dict(attributes)['src'].removeprefix('data:image/jpeg;base64,'), validate=True))
            self.within = tag == 'li'

        def handle_data(self, text):
            if self.within:
                self.texts[-1] += text

        def handle_endtag(self, tag):
            self.within = False

    page = Page()
    page.feed((folder / 'sheet.html').read_text())
    assert page.tags['script'] == 0 and page.tags['img'] == page.tags['li'] / 2 == 50, page.tags
    assert page.texts[1::2] == [hard] * 50 and set(page.texts[::2]) < {c[0] for _, c in rows.values()} and len(set(page.texts[::2])) == 50
    assert all(p.startswith(b'\xff\xd8\xff') and p.endswith(b'\xff\xd9') for p in page.pictures)
    assert not list(folder.glob('sheet.html.*'))
    run('--info', scratch / 'out.h5', '--sheet', folder / 'none' / 'x.html', code=74)
    run('--sheet', folder / 'x.html', code=64)


check('samples and sheet', samples_and_sheet)


def cases(folder):
    if not CASES.is_dir():
        return skip(f'the cases, which are not in {CASES}')
    ids = lambda rows: [(row['image_id'], row['file_name']) for row in rows]
    rows, _ = pack(CASES / '09-flickr30k-karpathy' / 'flickr' / 'dataset_flickr30k.json')
    data = json.load(open(CASES / '09-flickr30k-karpathy' / 'flickr' / 'dataset_flickr30k.json'))['images']
    assert [(r['split'], r['image_id'], r['captions']) for r in rows] == [
        (i['split'], i['imgid'], [s['raw'] for s in i['sentences']]) for i in data], rows
    rows, _ = pack(CASES / '09-flickr30k-karpathy' / 'flickr')
    assert len(rows) == 4
    # what the reference takes for a picture's id: anything that a dict takes
    for case in (CASES / '10-own-data-ids').iterdir():
        if not case.is_dir():
            continue
        source = json.load(open(case / 'karpathy' / 'coco_karpathy_train.json'))
        wanted = {}
        for row in source:
            wanted.setdefault(row.get('image_id', row['image'].rsplit('.', 1)[0]), row['image'])
        rows, _ = pack(case)
        assert ids(rows) == list(wanted.items()), (case, rows)
    tree = CASES / '11-coco-2017'
    rows, said = pack(tree / 'coco2017')
    assert 'train2017 for training' in said and [r['image_id'] for r in rows] == [9, 25, 139, 285], said
    shutil.copytree(tree / 'coco2017', folder / 't')
    shutil.copytree(tree / 'karpathy', folder / 't' / 'karpathy')
    rows, said = pack(folder / 't')
    assert ids(rows) == [(9, 'train2017/000000000009.jpg'), (25, 'train2017/000000000025.jpg'),
                         (139, 'val2017/000000000139.jpg'), (285, 'val2017/000000000285.jpg')] and 'COCO 2017' in said, rows
    nocaps, found = CASES / '12-nocaps-forms', []
    for pictures in 'official', 'by_id':
        for file in 'nocaps_val.json', 'nocaps_val_4500_captions.json':
            out = scratch / 'out.h5'
            found.append(run('--coco', nocaps / pictures, '--nocaps', nocaps / file, '--out', out, '--overwrite'))
            rows = [json.loads(line) for line in run('--info', out, '--rows').splitlines()]
            assert [r['image_id'] for r in rows] == [0, 1, 2] and all(len(r['captions']) == 2 for r in rows), rows
    assert len({re.search('data digest .*', said)[0] for said in found}) == 1, found


check('cases', cases)


def digests_of_format_2(_):
    """What the packer of format 2 printed: COCO's data are the same data."""
    run('--out', scratch / 'coco', '--train', 40, '--val', 6, '--test', 6, '--seed', 5, program='make_sample')
    for words in (), ('--encoding', 'jpeg'):
        digest, rows, _ = pack(scratch / 'coco', *words, digest=True)
        assert digest == 'd267a8fdd489eff1' and all(type(row['image_id']) is int for row in rows), digest


check('the data digest of format 2', digests_of_format_2)

finish()
