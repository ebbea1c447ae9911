"""Run by pages.sh. Takes the commands out of README.md, jobs/*.md and data_prep/*.md, and runs them in folders where the
pages' names stand for small drawn data: the lines of a page's blocks one after the other, as a reader would type them, and
each command within a sentence or a table in a copy of what the blocks leave. NOT_RUN lists the others, with the reasons.

    tests/end_to_end/pages.sh [WORDS]      only what has these words in its page's name and command
"""
import collections
import csv
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

ROOT = pathlib.Path.cwd()
BIN = pathlib.Path(os.environ.get('BLIP_BUILD', os.environ.get('BUILD', 'build'))).resolve() / 'bin'
PAGES = ['README.md', *sorted(str(page) for folder in ('jobs', 'data_prep') for page in pathlib.Path(folder).glob('*.md'))]

# What is not run: how a command begins (a regular expression), and why.
NOT_RUN = {
    r'make |/opt/blip_mpi/bin/blip_mpi check': 'targets of the Makefile, which run this test or have their own: install.sh, dist.sh ...',
    r'env/setup\.sh': 'installs software: tests/setup',
    r'pip install capevalkit|root=\$\(capevalkit|mkdir -p "\$root/metrics|capevalkit |\s*--image-dir ': 'capevalkit is fetched from PyPI: capevalkit.sh runs them',
    r'pip install|from blip_score|score, scores = ': 'make wheel: wheel.sh',
    r'blip_mpi_score --compile-meteor': "needs METEOR's tables, which are fetched: score_captions.sh",
    r'srun|scontrol|scancel|kill |jobs/chain\.sh|sbatch PREFIX|sbatch( --\S+)+$': 'needs a queue, and a job in it: tests/slurm, jobs_scripts.sh',
    r'blip_mpi score .* coco-val2014$': "needs all of COCO's captions: score_captions.sh",
    r'blip_mpi score .* --clip ': 'needs a CLIP model: score_clip.sh',
    r'blip_mpi check$': 'takes long, and is run by two ranks: check.sh',
    r'tail -f': 'does not end',
    r'spack |rattler-build ': 'needs that tool, and hours: the recipes are compared by tests/setup/recipes.sh',
    r'mpirun --oversubscribe$|train --profile-steps N$|export --(to NAME\.pth|from)$|blip_mpi (pack|score|packed captions)$': 'the beginning of a command, or none',
    r'captions\.csv  |\s*pictures/holiday|captions\.jsonl  |folder/holiday|images:2459': 'what a file or an answer looks like',
}
# Words of a page that stand for others.
WORDS = {
    r'-np (8|N)\b': '-np 2', r'local\.sh (8|RANKS)\b': 'local.sh 2', r'/scratch\b': '$PWD/scratch', r'/archive\b': 'pictures',
    r'\.\.\.$': '', r'\bJOB\b': '1', r'(?<=--info )FILE|(?<=--check )FILE': 'coco.h5', r'(?<=per-image )FILE': 'per_image.csv',
    r'(?<=captions )N\b': '2', r'--out DIR': '--out drawn', r'pack PATH': 'pack captions.csv', r'PICTURES': 'nocaps',
    r'WEIGHTS': 'model_base_capfilt_large.pth',
}
# Where a sentence names a verb with what matters there, the rest of the command; and the verbs' own programs.
REST = {'train': '--data coco.h5 --output out', 'evaluate': '--data coco.h5 --init out/best --output out', 'caption': '--init out/best',
        'score': '', 'check': '', 'help': '', 'status': '', 'verify': '', 'report': '', 'export': '', 'pack': ''}
PROGRAM = re.compile(r'([A-Z]+=\S* )*(\. env/|build/bin/|blip_mpi\w* |coco_pack |make_sample |mpirun |make |env/\w+\.sh|jobs/\w+\.sh|bash |sbatch |srun '
                     r'|spack |rattler-build |scontrol |scancel |kill |pip |find |wget |(train|evaluate|caption|export|score|verify|report|status|pack) )')

scratch = pathlib.Path(tempfile.mkdtemp(prefix='blip_pages.'))
only = ' '.join(sys.argv[1:])
used, passed, failed, skipped = set(), 0, 0, 0


def wanted(page, command):
    return only in f'{page} {command}'


def reason(command):
    """Why it is not run, or nothing."""
    for beginning, why in NOT_RUN.items():
        if re.match(beginning, command):
            used.add(beginning)
            return why
    return None


def commands_of(block):
    """The block's commands: a line, or as many as the shell needs."""
    found, begun = [], ''
    for line in block.splitlines():
        begun += ('\n' if begun else '') + line
        if reason(begun) or subprocess.run(['bash', '-n'], input=begun, text=True, capture_output=True).returncode == 0:
            found.append(begun)
            begun = ''
    return found + ([begun] if begun else [])


def read(page):
    """Blocks of commands, blocks of Python, and commands in sentences and tables."""
    text = pathlib.Path(page).read_text()
    blocks = re.findall(r'^```(\w*)\n(.*?)^```$', text, re.S | re.M)
    assert len(blocks) * 2 == len(re.findall('^```', text, re.M)), f'{page}: a block that does not end'
    spans = [' '.join(span.split()) for span in re.findall(r'`([^`]+)`', re.sub(r'^```.*?^```$', '', text, flags=re.S | re.M))]
    spans = list(dict.fromkeys(span for span in spans if PROGRAM.match(span)))
    return [commands_of(code) for kind, code in blocks if kind != 'python'], [code for kind, code in blocks if kind == 'python'], spans


def shell(folder, script):
    environment = {**os.environ, 'PATH': f'{folder}/fake:{os.environ["PATH"]}', 'BLIP_DEPS': str(folder / 'deps'), 'CUDA_VISIBLE_DEVICES': ''}
    environment.pop('BLIP_HOME', None)
    done = subprocess.run(['timeout', '-k', '5', '240', 'bash', '-c', script], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def count(page, what, code, said):
    global passed, failed
    if code == 0:
        passed += 1
        print(f'ok: {page}: {what}', flush=True)
        return
    failed += 1
    print(f'FAILED: {page}: {what}: exit {code}')
    print('\n'.join(f'    {line}' for line in said.splitlines()[-12:]), flush=True)


def as_here(command):
    for word, other in WORDS.items():
        command = re.sub(word, other, command)
    return command


def whole(span):
    """A command that a sentence shortens, with the rest of it."""
    words = span.removeprefix('blip_mpi ').split()
    mpi = re.match(r'mpirun -np \S+ (build/bin/)?blip_mpi (\w+)', span)
    verb = words[0] if words[0] in REST else mpi[2] if mpi else next((w for w in words if w in REST), None) if 'local.sh' in span else None
    if verb is None:
        return span
    text = f'blip_mpi {span}' if span.startswith(f'{verb} ') else span
    rest = re.findall(r'(--\w+) (\S+)', REST[verb])
    if words[0] == 'help' or '--help' in span:
        return text
    dots, text = text.endswith('...'), re.sub(r' *\.\.\.$', '', text)
    if '--nocaps' in text:
        rest = [(option, value.replace('coco.h5', 'nocaps.h5')) for option, value in rest]
    text += ''.join(f' {option} {value}' for option, value in rest if option not in text)
    if verb == 'score' and len(text.split()) == text.count(' --') + 2:    # options alone
        text += ' refs.json results.json'
    if verb == 'caption' and (dots or not re.search(r'pictures|photo', text)):
        text += ' photo.jpg'
    return text


# ---- what the pages' names stand for ----------------------------------------------------------------------------------
BLIP = f'''#!/bin/bash
# the program; a training of the tiny preset and one epoch, where the command does not say
words=("$@") more=()
unless() {{ local word; for word in "${{words[@]}}"; do [ "$word" != "$1" ] || return 0; done; more+=("$@"); }}
if [[ $* == train\ * || $* == evaluate*--config* ]] && [[ $* != *--help* ]]; then
    unless --model tiny; unless --image-size 96; unless --threads 1
    [[ $* == evaluate* || $* == *--dry-run* ]] || {{ unless --epochs 1; unless --global-batch 100; unless --micro-batch 10; unless --no-peak; unless --trace; }}
fi
exec {BIN}/blip_mpi "${{words[@]}}" "${{more[@]}}"
'''
SBATCH = '''#!/bin/bash
# without a queue: the job's trial
while [[ $1 == --* ]]; do
    [[ $1 != --array=* ]] || export SLURM_ARRAY_TASK_ID=1
    shift
done
# by the time that it runs, the training before it has ended
[[ ${INIT:-} != */best ]] || { mkdir -p "$INIT" && cp out/best/* "$INIT"; }
exec bash "$@" --dry-run
'''
WGET = '''#!/bin/bash
# what is published, drawn
for address in "$@"; do cp -r "$SERVED/${address##*/}" . || exit 8; done
'''
YAML = '''image_root: '/export/share/datasets/vision/coco/images/'
ann_root: 'annotation'
coco_gt_root: 'annotation/coco_gt'
pretrained: 'https://storage.googleapis.com/x/model_base_capfilt_large.pth'
vit: 'base'
vit_grad_ckpt: False
vit_ckpt_layer: 0
batch_size: 32
init_lr: 1e-5
image_size: 384
max_length: 20
min_length: 5
num_beams: 3
prompt: 'a picture of '
weight_decay: 0.05
min_lr: 0
max_epoch: 5
'''


def executable(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)


def program(*words):
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, cwd=scratch)
    assert done.returncode == 0, f'{words}: {done.stdout}{done.stderr}'


def draw_world():
    """scratch/world: programs and pictures that all pages have. scratch/coco: a drawn COCO. scratch/more: what a page may find."""
    world, coco, more = (scratch / name for name in ('world', 'coco', 'more'))
    program(BIN / 'make_sample', '--out', coco, '--train', 60, '--val', 6, '--test', 5)
    executable(world / 'build/bin/blip_mpi', BLIP)
    for name in 'coco_pack', 'make_sample', 'blip_mpi_score':
        (world / 'build/bin' / name).symlink_to(BIN / name)
    executable(world / 'fake/sbatch', SBATCH)
    executable(world / 'fake/wget', WGET)
    for name in 'blip_mpi', 'coco_pack', 'make_sample', 'blip_mpi_score':
        (world / 'fake' / name).symlink_to(f'../build/bin/{name}')
    for name in 'jobs', 'env', 'data_prep':
        (world / name).symlink_to(ROOT / name)
    pictures = sorted(coco.glob('*2014/*.jpg'))
    for name in 'pictures', 'new_pictures', 'nocaps':
        (world / name).mkdir()
        for number, picture in enumerate(pictures[:24] if name == 'pictures' else pictures[30:34]):
            shutil.copy(picture, world / name / f'{number}.jpg')
    shutil.copy(pictures[0], world / 'photo.jpg')
    shutil.copy(pictures[1], world / 'pictures/scan.png')
    write_captions(world)
    program(BIN / 'blip_mpi', 'export', '--from', 'random', '--model', 'tiny', '--to', world / 'model_base_capfilt_large.pth')
    shutil.copy(world / 'model_base_capfilt_large.pth', world / 'model_base_caption_capfilt_large.pth')
    # a run of other pages' names
    shutil.copytree(world, more)
    shutil.copytree(coco, more / 'coco2014')
    code, said = shell(more, 'set -e; coco_pack --coco coco2014 --out coco.h5; blip_mpi train --data coco.h5 --output out;'
                       'cp -r out out2; mkdir -p scratch; cp coco.h5 model_base_capfilt_large.pth scratch; '
                       'coco_pack captions.csv --out mine.h5; blip_mpi export --from random --model tiny --names huggingface --to tiny_hf;'
                       'cp -r tiny_hf blip-image-captioning-base')
    assert code == 0, said
    (more / 'configs').mkdir()
    (more / 'configs/caption_coco.yaml').write_text(YAML)
    write_scored(more)
    write_forms(more, pictures)


def write_captions(world):
    """Own pictures with captions, in the two forms of tables."""
    rows = [(f'pictures/{n}.jpg', f'a red square number {n} on {ground}') for n in range(24) for ground in ('grey', 'green', 'blue', 'white', 'black')]
    with open(world / 'captions.csv', 'w', newline='') as stream:
        csv.writer(stream).writerows([('image', 'caption'), *rows])
    (world / 'captions.jsonl').write_text(''.join(json.dumps({'file_name': file.removeprefix('pictures/'), 'captions': [text]}) + '\n' for file, text in rows))


def write_scored(folder):
    """References and results to score."""
    annotations = json.loads((folder / 'coco2014/annotations/captions_val2014.json').read_text())
    shutil.copytree(folder / 'coco2014/annotations', folder / 'annotations')
    shutil.copy(folder / 'coco2014/karpathy/dataset_coco.json', folder)
    captions = collections.defaultdict(list)
    for row in annotations['annotations']:
        captions[row['image_id']].append(row['caption'])
    test = [i['cocoid'] for i in json.loads((folder / 'dataset_coco.json').read_text())['images'] if i['split'] == 'test']
    for kind, key in ('images', 'id'), ('annotations', 'image_id'):
        annotations[kind] = [row for row in annotations[kind] if row[key] in test]
    (folder / 'captions_val2014.json').write_text(json.dumps(annotations))
    (folder / 'refs.json').write_text(json.dumps({i: captions[i] for i in test}))
    for number, name in enumerate(['results', 'mine', 'theirs', 'a', 'b', 'a1', 'a2', 'b1', 'b2']):
        (folder / f'{name}.json').write_text(json.dumps([{'image_id': i, 'caption': captions[i][number % 5]} for i in test]))


def write_forms(folder, pictures):
    """The forms of data that data_prep/README.md lists."""
    def rows(names):
        return [(name, [f'a small picture number {n}', f'a picture of the form {n}']) for n, name in enumerate(names)]

    def put(where, names, width=24):
        (folder / where).mkdir(parents=True, exist_ok=True)
        for name, picture in zip(names, pictures[:width]):
            shutil.copy(picture, folder / where / name)

    def coco_form(names, first=1):
        return {'images': [{'id': first + n, 'file_name': name} for n, name in enumerate(names)],
                'annotations': [{'id': 9 * first + 2 * n + k, 'image_id': first + n, 'caption': text}
                                for n, (_, texts) in enumerate(rows(names)) for k, text in enumerate(texts)]}

    names = [f'{n}.jpg' for n in range(24)]
    for split, first in ('train', 1), ('val', 101):
        put(f'coco2017/{split}2017', [f'{first + n:012d}.jpg' for n in range(12)])
        (folder / 'coco2017/annotations').mkdir(exist_ok=True)
        (folder / f'coco2017/annotations/captions_{split}2017.json').write_text(
            json.dumps(coco_form([f'{first + n:012d}.jpg' for n in range(12)], first)))
    put('flickr30k-images', names)
    (folder / 'dataset_flickr30k.json').write_text(json.dumps({'dataset': 'flickr30k', 'images': [
        {'filename': name, 'imgid': n, 'split': ('train', 'val', 'test')[n % 3], 'sentences': [{'raw': text} for text in texts]}
        for n, (name, texts) in enumerate(rows(names))]}))
    put('flickr8k/Images', names)
    (folder / 'flickr8k/captions.txt').write_text('image,caption\n' + ''.join(f'{name},{text}\n' for name, texts in rows(names) for text in texts))
    few = [f'{n}.jpg' for n in range(4)]
    nocaps = coco_form(few, 0)
    for n, image in enumerate(nocaps['images']):
        image['domain'] = ('in-domain', 'near-domain', 'out-domain')[n % 3]
        image['open_images_id'] = f'00000000000{n}'
    (folder / 'nocaps_val_4500_captions.json').write_text(json.dumps(nocaps))
    put('train', names)
    (folder / 'annotations/train.json').write_text(json.dumps(coco_form(names)))
    for name, texts in rows(names):
        (folder / 'pictures' / name).with_suffix('.txt').write_text('\n'.join(texts) + '\n')
    for split in 'train', 'validation':
        put(f'folder/{split}', names, 12)
        (folder / f'folder/{split}/metadata.jsonl').write_text(
            ''.join(json.dumps({'file_name': name, 'text': texts[0]}) + '\n' for name, texts in rows(names[:12])))
    (folder / 'llava.json').write_text(json.dumps([{'id': f'{n:09d}', 'image': name, 'conversations': [
        {'from': 'human', 'value': '<image>\nDescribe it.'}, {'from': 'gpt', 'value': texts[0]}]} for n, (name, texts) in enumerate(rows(names))]))
    (folder / 'data').mkdir()
    for number in range(100):
        with tarfile.open(folder / f'data/train-{number:04d}.tar', 'w') as tar:
            picture = folder / 'pictures' / names[number % 24]
            tar.add(picture, f'{number}.jpg')
            tar.add(picture.with_suffix('.txt'), f'{number}.txt')
    code, said = shell(folder, 'coco_pack --coco nocaps --nocaps nocaps_val_4500_captions.json --out nocaps.h5')
    assert code == 0, said


def serve(folder):
    """What README.md fetches, as it is published: two archives of pictures, one of annotations, the Karpathy split."""
    folder.mkdir()
    coco = scratch / 'coco'
    for name, member in ('train2014', 'train2014'), ('val2014', 'val2014'), ('annotations_trainval2014', 'annotations'):
        shutil.make_archive(str(folder / name), 'zip', coco, member)
    for file in (coco / 'karpathy').glob('coco_karpathy_*.json'):
        shutil.copy(file, folder)


def begin_anew(folder, command):
    """Takes away what the command makes. A training from published weights is another run than that of the page's beginning."""
    if re.search(r'train .*--init (?!out)|--nodes=\S+ jobs/', command):
        shutil.rmtree(folder / 'out', ignore_errors=True)
    for written in re.findall(r'(?:--out|--to|--write \w+ --output) (\S+\.(?:h5|csv|jsonl)|\w+_hf)', command):
        if (folder / written).is_dir():
            shutil.rmtree(folder / written)
        else:
            (folder / written).unlink(missing_ok=True)
    if '--write txt' in command:
        for text in folder.glob('pictures/*.txt'):
            text.unlink()


def in_copy(folder, script, keep=False):
    """Runs it in a copy of the folder, or in the folder itself."""
    copy = folder if keep else folder.with_name('copy')
    if not keep:
        shutil.copytree(folder, copy, symlinks=True, copy_function=os.link)
    begin_anew(copy, script)
    code, said = shell(copy, script)
    if not keep:
        shutil.rmtree(copy)
    return code, said


# ---- the pages --------------------------------------------------------------------------------------------------------
def test_page(page):
    global skipped
    blocks, python, spans = read(page)
    folder = scratch / 'page'
    # README.md makes what it names, block by block; others find it
    shutil.copytree(scratch / ('world' if page == 'README.md' else 'more'), folder, symlinks=True, copy_function=os.link)
    for block in blocks:
        here = [as_here(command) for command in block if not reason(command)]
        if here and wanted(page, ' '.join(here)):
            # set -v prints a command before it is run: the last one printed is the one that failed
            script = f'export SERVED={scratch}/served; set -ev\n' + '\n'.join(here)
            count(page, here[0] + (f' (and {len(here) - 1} more)' if len(here) > 1 else ''), *in_copy(folder, script, keep=page == 'README.md'))
    for span in spans:
        if not reason(span) and wanted(page, span):
            command = as_here(whole(span))
            count(page, span if command == span else f'{span} (as: {command})', *in_copy(folder, command))
    for code in python:
        if not wanted(page, 'Python'):
            continue
        interpreter = next((p for p in (sys.executable, '/usr/bin/python3') if os.path.exists(p) and
                            subprocess.run([p, '-c', 'import h5py, PIL'], capture_output=True).returncode == 0), None)
        if not interpreter:
            skipped += 1
            print(f'skipped: {page}: its Python (no h5py and PIL here)')
            continue
        done = subprocess.run([interpreter, '-c', code, 'coco.h5'], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        count(page, 'its Python', done.returncode, done.stdout)
    shutil.rmtree(folder)


try:
    draw_world()
    serve(scratch / 'served')
    for page in PAGES:
        test_page(page)
    for beginning in NOT_RUN.keys() - used if not only else ():
        count('pages.py', 'NOT_RUN has what no page has', 1, beginning)
finally:
    shutil.rmtree(scratch)
print(f'{passed} passed, {failed} failed, {skipped} skipped')
sys.exit(failed > 0)
