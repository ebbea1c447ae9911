#!/usr/bin/env python3
"""Checks who includes what. Called by run.sh as: check_layers.py [ROOT]; prints one line per violation, exit 1 if any.

The table of layers is env/make/layers.mk (USES_<layer> lines), so that what is linked and what may be included cannot differ.
A permission that no include uses is refused, and so are three files of a folder that share the first word of their names:
they want a folder of that name.
"""
import collections
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')
TABLE = 'env/make/layers.mk'
PREP_MAY_USE = {'base', 'options', 'text', 'image', 'data'}
# header pattern -> the layers that may include it (their unit tests too)
OWNED = [
    (re.compile(r'^(mpi|nccl)\.h$'), {'comm'}),
    (re.compile(r'^(boost/program_options|yaml-cpp/)'), {'options'}),
    (re.compile(r'^(hdf5\.h|hdf5_hl\.h|H5.*\.h)$'), {'data'}),
]
TORCH = re.compile(r'^(ATen|c10|torch|caffe2)/')
CUDA = re.compile(r'^(cuda\w*\.h|cooperative_groups.*|cub/.*|nccl\.h|(c10|ATen)/cuda/.*|blip/base/cuda(_launch)?\.(h|cuh))$')
CUDA_FILE = re.compile(r'(\.cu|\.cuh|_cuda\.(cpp|h)|^tests/(nccl|fake_cuda)/.*|include/blip/base/cuda\.h|^tests/gpu/.*)$')
TORCH_FORBIDDEN = re.compile(r'^(torch/(torch|all|extension)\.h|ATen/ATen\.h|ATen/Functions\.h)$')


def read_table(path):
    text = re.sub(r'\\\n', ' ', path.read_text())
    layers = re.search(r'^LAYERS\s*:?=\s*(.*)$', text, re.M).group(1).split()
    torch = set(re.search(r'^TORCH_LAYERS\s*:?=\s*(.*)$', text, re.M).group(1).split())
    uses = {layer: set() for layer in layers}
    for layer, names in re.findall(r'^USES_(\w+)\s*:?=\s*(.*)$', text, re.M):
        uses[layer] = set(names.split())
    for layer, names in uses.items():
        names.add(layer)
    return uses, torch


def room_of(path):
    """('layer', name), ('prep', ''), ('test', layer or '') of a path relative to the root."""
    parts = path.parts
    if parts[0] == 'src':
        return 'layer', parts[1]
    if parts[:2] == ('include', 'blip'):
        return 'layer', parts[2]
    if parts[0] == 'data_prep':
        return 'prep', ''
    return 'test', parts[2] if parts[1] == 'unit' else 'comm' if parts[1] == 'nccl' else ''


def targets_of(text):
    """The layers whose headers a source includes."""
    for match in re.finditer(r'^\s*#\s*include\s*"(?:(?:include/)?blip|src)/(\w+)/', text, re.M):
        yield match.group(1)


def shared_prefixes(paths):
    """(folder, first word, names) of three or more files of a folder of the program that begin with the same word."""
    groups = collections.defaultdict(set)
    for path in paths:
        if room_of(path)[0] != 'test':
            name = re.sub(r'(_cuda|_nocuda)?\.\w+$', '', path.name)
            groups[path.parent, name.split('_')[0]].add(name)
    for (folder, word), names in sorted(groups.items()):
        if len(names) >= 3:
            yield folder, word, sorted(names)


def with_optimizer(root, uses):
    """Verbs that train nothing, and link the optimizer all the same through the layers they include."""
    for verb in ('caption', 'export'):
        path = root / f'src/app/verbs/{verb}.cpp'
        reached = {'app'}
        wanted = set(targets_of(path.read_text())) if path.exists() else set()
        while wanted - reached:
            layer = (wanted - reached).pop()
            reached.add(layer)
            wanted |= uses[layer]
        if 'optim' in reached:
            yield path.relative_to(root)


def problems_of(path, text, uses, torch):
    kind, layer = room_of(path)
    if kind == 'layer' and layer not in uses:
        yield 0, f'layer {layer} is not in the table of {TABLE}'
        return
    may_use = uses[layer] if kind == 'layer' else PREP_MAY_USE if kind == 'prep' else set(uses)
    for number, line in enumerate(text.splitlines(), 1):
        if kind == 'layer' and layer != 'app' and re.match(r'^[^/"]*\b(std::|::)?(exit|quick_exit)\(', line):
            yield number, 'exit() in a library: throw Error instead'
        match = INCLUDE.match(line)
        if not match:
            continue
        header = match.group(2)
        owner = re.match(r'^(?:include/)?blip/(\w+)/|^src/(\w+)/', header)
        target = owner and (owner.group(1) or owner.group(2))
        if target and target not in may_use:
            yield number, f'{layer or kind} may not include {header}'
        if layer == 'train' and kind == 'layer' and re.match(r'blip/tasks/\w+/', header):
            yield number, f'{header}: train knows no task but by blip/tasks/task.h'
        if header.startswith('src/') and kind != 'test' and target != layer:
            yield number, f'{header} is private to {target}'
        for pattern, owners in OWNED:
            if pattern.match(header) and layer not in owners:
                yield number, f'{header} belongs to {", ".join(sorted(owners))} alone'
        if CUDA.match(header) and not CUDA_FILE.search(str(path)):
            yield number, f'{header} is for .cu and _cuda.cpp files: the others compile without CUDA'
        if path.suffix in ('.cu', '.cuh') and TORCH.match(header):
            yield number, f'{header}: device code is free of LibTorch; hand it pointers'
        elif TORCH_FORBIDDEN.match(header):
            yield number, f'{header} costs 8 to 27 s a file: include ATen/core/Tensor.h and ATen/ops/*.h'
        elif TORCH.match(header) and (kind == 'prep' or kind == 'layer' and layer not in torch):
            yield number, f'{layer or kind} is free of LibTorch: {header}'
    if path.suffix == '.h' and '#pragma once' not in text:
        yield 0, 'no #pragma once'
    if not text.startswith('//'):
        yield 1, 'the first comment must say what the file is for'


def main(root):
    uses, torch = read_table(root / TABLE)
    found, paths, used = 0, [], collections.defaultdict(set)
    for folder in ('src', 'include/blip', 'data_prep', 'tests'):
        for path in sorted((root / folder).rglob('*')):
            if path.suffix not in ('.cpp', '.h', '.cu', '.cuh'):
                continue
            relative, text = path.relative_to(root), path.read_text()
            paths.append(relative)
            kind, layer = room_of(relative)
            if kind == 'layer':
                used[layer].update(targets_of(text))
            for line, problem in problems_of(relative, text, uses, torch):
                print(f'{relative}:{line}: {problem}')
                found += 1
    for layer, names in uses.items():
        for name in sorted(names - used[layer] - {layer}) if layer in used else ():
            print(f'{TABLE}: no file of {layer} includes one of {name}: take it out of USES_{layer}')
            found += 1
    for path in with_optimizer(root, uses):
        print(f'{path}:0: reaches the optimizer, and trains nothing')
        found += 1
    for folder, word, names in shared_prefixes(paths):
        print(f'{folder}: {", ".join(names)}: a folder {word}/ in place of the prefix')
        found += 1
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else '.')))
