#!/usr/bin/env bash
# test: quick
# The recipes for Spack, EasyBuild and conda name what env/needs.txt says that building needs, and no other; versions are those
# of the program, and what they tell the Makefile are variables that it knows.
cd "$(dirname "$0")/../.." && exec python3 - <<'PYTHON'
import ast
import glob
import re
import sys

passed = failed = 0


def check(name, test):
    global passed, failed
    try:
        test()
        passed += 1
        print(f'ok: {name}')
    except Exception as problem:
        failed += 1
        print(f'FAILED: {name}: {type(problem).__name__}: {problem}')


rows = [line.split() for line in open('env/needs.txt') if line.startswith('build ')]
assert len(rows) > 20, rows
# What the recipes take elsewhere: the compiler is the tool's own, and pip and certificates are for fetching LibTorch.
rows = [row for row in rows if row[2] not in ('g++', 'g++-12', 'pip', 'certificates')]
SPACK, CONDA = {row[5].split('+')[0] for row in rows}, {row[6] for row in rows} - {'-'}
BUILT_ALONG = {'libcsv', 'libstemmer'}    # by the recipe for conda, which builds Random123, too
# EasyBuild's names, where they are others than Spack's; make, mpirun and mpicxx are the toolchain's
EASYBUILD = {'gmake': 'make', 'python': 'Python', 'hdf5': 'HDF5', 'boost': 'Boost', 'nlohmann-json': 'nlohmann_json', 'libtiff': 'LibTIFF',
             'xxhash': 'xxHash', 'icu4c': 'ICU', 'zlib-api': 'zlib'}
version = re.search('program_version = "(.*)"', open('include/blip/base/version.h').read())[1]
makefiles = ''.join(open(file).read() for file in ['Makefile', *glob.glob('env/make/*.mk')])
recipe = 'env/spack/spack_repo/blip_mpi/packages/{}/package.py'.format
easyconfig = f'env/easybuild/blip_mpi-{version}-gompi-2025b.eb'


def same(found, wanted):
    found, wanted = set(found), set(wanted)
    assert found == wanted, f'too many: {sorted(found - wanted)}, too few: {sorted(wanted - found)}'


def calls(tree, name):
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, 'id', '') == name]


def known(text):
    """The variables that are given to make."""
    for name in set(re.findall(r'\b([A-Z][A-Z_]+)=', text)) - {'CFLAGS', 'LDFLAGS', 'CPATH', 'LIBRARY_PATH'}:
        assert re.search(rf'^{name} *[:?]?=|\$\({name}\)', makefiles, re.M), f'the Makefile knows no {name}'


def spack():
    text = open(recipe('blip_mpi')).read()
    tree = ast.parse(text)
    names = {re.split('[@+~]', call.args[0].value)[0] for call in calls(tree, 'depends_on')}
    same(names - {'c', 'cxx', 'py-torch', 'nccl'}, SPACK - {'openmpi@4:'} | {'openmpi'})
    variants = [call.args[0].value for call in calls(tree, 'depends_on') if '+' in call.args[0].value]
    for row in rows:
        name, *wanted = row[5].split('+')
        for variant in set(wanted) - {'test'}:
            assert any(one.startswith(name) and f'+{variant}' in one for one in variants), f'{name}+{variant}'
    assert f'blip_mpi-{version}.tar.gz' in text and 'openmpi@4:' in text and f'py-torch@{torch}' in text, 'versions'
    known(text)
    # Spack's own packages lack them
    for name in 'libcsv', 'libstemmer':
        [call] = calls(ast.parse(open(recipe(name)).read()), 'version')
        assert re.fullmatch('[0-9a-f]{64}', call.keywords[0].value.value), name


def easybuild():
    names = {'SOURCELOWER_TAR_GZ': '', 'SHLIB_EXT': 'so', 'SOURCEFORGE_SOURCE': ''}
    text = open(easyconfig).read()
    exec(text, names)
    listed = [*names['builddependencies'], *names['dependencies']]
    same((name for name, _ in listed), {EASYBUILD.get(name, name) for name in SPACK - {'openmpi@4:'}} | {'binutils'})
    assert names['version'] == version and names['toolchain']['name'] == 'gompi'
    known(text)
    for name in 'libcsv', 'libstemmer', 'random123':
        exec(open(f'env/easybuild/{name}-{dict(listed)[name]}-GCCcore-14.3.0.eb').read(), own := dict(names))
        assert (own['name'], own['version']) == (name, dict(listed)[name]), own['name']
        spacks = open(recipe(name)).read() if name != 'random123' else open('env/conda/recipe.yaml').read()
        assert own['checksums'][0] in spacks, f'{name}: another checksum'


def conda():
    text = open('env/conda/recipe.yaml').read()
    lists = {key: re.findall(r'^    - (.*)', part, re.M)
             for key, part in re.findall(r'^  (build|host|run):\n((?:    .*\n)+)', text[text.index('\nrequirements:'):text.index('\ntests:')], re.M)}
    assert lists['run'] and set(lists['run']) <= set(lists['host']) and f'libtorch {torch}.*' in lists['run'], lists
    packages = {one for one in lists['build'] + lists['host'] if not one.startswith('${{')} - {f'libtorch {torch}.*'}
    same(packages, CONDA - BUILT_ALONG)
    for name in BUILT_ALONG | {'random123'}:
        assert f'target_directory: along/{name}' in text, name
    assert f'version: {version}\n' in text
    known(text)


torch = re.search(r'^torch==(\d+\.\d+)', open('env/requirements-torch.txt').read(), re.M)[1]
check("Spack's recipe", spack)
check("EasyBuild's recipe", easybuild)
check("conda's recipe", conda)
print(f'{passed} passed, {failed} failed, 0 skipped')
sys.exit(failed > 0)
PYTHON
