#!/usr/bin/env bash
# env/setup.sh --download on a machine with a network, --from on one that has none (a network namespace): LibTorch, the CUDA
# compiler and METEOR's tables as small wheels that pip takes for PyPI's, and a package of a small repository that apt takes for
# Debian's.
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/hide_lib.sh
. "$(dirname "$0")/../support/hide_lib.sh"
if ! unshare -rn true 2>/dev/null; then
    skips "set-up without a network" "no network namespaces here (unshare)"
    finish
fi
unset LIBTORCH CUDA_HOME
export BLIP_DEPS=$scratch/deps CUDA=0
cp -r env "$scratch/env"

# ---- small wheels, their hashes in the lists; and what stands for PyPI ----
python3 - "$scratch" <<'PYTHON'
import hashlib, pathlib, re, sys, zipfile
scratch = pathlib.Path(sys.argv[1])
shop = scratch / 'shop'
shop.mkdir()
def wheel(name, version, files):
    stem = f'{name.replace("-", "_")}-{version}'
    info = f'{stem}.dist-info'
    files = {**files, f'{info}/METADATA': f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n'.encode(),
             f'{info}/WHEEL': b'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: py3-none-manylinux_2_28_x86_64\n'}
    record = ''.join(f'{path},,{len(data)}\n' for path, data in files.items()) + f'{info}/RECORD,,\n'
    path = shop / f'{stem}-py3-none-manylinux_2_28_x86_64.whl'
    with zipfile.ZipFile(path, 'w') as out:
        for file, data in {**files, f'{info}/RECORD': record.encode()}.items():
            out.writestr(file, data)
    return hashlib.sha256(path.read_bytes()).hexdigest()
program = pathlib.Path('/bin/true').read_bytes()
of_torch = {'torch/include/ATen/core/Tensor.h': b'header\n', 'torch/lib/libtorch_cpu.so': program, 'torch/lib/libc10.so': program}
libraries = {'requirements-torch.txt': {'torch': of_torch}, 'requirements-nvcc.txt': {}}
for name in libraries:
    path, lines = scratch / 'env' / name, []
    for line in path.read_text().splitlines():
        found = re.match(r'([a-z0-9-]+)==(\S+) ', line)
        if found:
            line = f'{found[1]}=={found[2]} --hash=sha256:{wheel(found[1], found[2], libraries[name].get(found[1], {}))}'
        lines.append(line)
    path.write_text('\n'.join(lines) + '\n')
PYTHON
online=(env PIP_NO_INDEX=1 PIP_FIND_LINKS="$scratch/shop")
offline=(unshare -rn env -u PIP_NO_INDEX -u PIP_FIND_LINKS)
path_without apt-get

new_case "--download fetches the wheels and installs nothing"
run "${online[@]}" PATH="$scratch/path" "$scratch/env/setup.sh" --download "$scratch/usb stick"
exits 0; says "env/setup.sh --from DIR"; says "no apt here"
is "$(ls "$scratch/usb stick/wheels" | wc -l)" "$(grep -c '==' "$scratch/env/requirements-torch.txt")" "wheels"
[ ! -e "$BLIP_DEPS" ] || fail "it installed"
new_case "without a network and without --from it says what to do"
run "${offline[@]}" PIP_RETRIES=0 PIP_DEFAULT_TIMEOUT=1 "$scratch/env/setup.sh"
exits 74; says "--download DIR, and here --from DIR"
new_case "--from installs them without a network"
run "${offline[@]}" "$scratch/env/setup.sh" --from "$scratch/usb stick"
exits 0; says "ready"
[ -e "$BLIP_DEPS/torch-2.11.0-cu130/torch/lib/libtorch_cpu.so" ] || fail "no LibTorch"
new_case "a wheel that was damaged on the way is refused"
rm -rf "$BLIP_DEPS"
printf x >>"$(echo "$scratch/usb stick"/wheels/torch-*)"
run "${offline[@]}" "$scratch/env/setup.sh" --from "$scratch/usb stick"
exits 74
[ ! -e "$BLIP_DEPS/torch-2.11.0-cu130" ] || fail "it was installed"
new_case "a folder without wheels, and both options at once"
run "$scratch/env/setup.sh" --from "$scratch/empty"
exits 66; says "env/setup.sh --download makes it"
run "$scratch/env/setup.sh" --from "$scratch" --download "$scratch"
exits 64

new_case "packages: fetched with what they depend on, installed from there without a network"
if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
    skip_case "no apt here"
else
    # one that depends on another, in a repository that is copied from as over a network
    mkdir -p "$scratch/repository" "$scratch/apt/sources.list.d"
    for name in blip-test-tool blip-test-library; do
        mkdir -p "$scratch/$name/DEBIAN"
        printf 'Package: %s\nVersion: 1\nArchitecture: all\nMaintainer: a test\nDescription: a test\n' $name >"$scratch/$name/DEBIAN/control"
        [ $name = blip-test-library ] || echo "Depends: blip-test-library" >>"$scratch/$name/DEBIAN/control"
        dpkg-deb -b "$scratch/$name" "$scratch/repository" >/dev/null
        deb=${name}_1_all.deb
        { cat "$scratch/$name/DEBIAN/control"
          printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' $deb "$(stat -c %s "$scratch/repository/$deb")" "$(sha256sum "$scratch/repository/$deb" | cut -d' ' -f1)"
        } >>"$scratch/repository/Packages"
    done
    echo "deb [trusted=yes] copy:$scratch/repository ./" >"$scratch/apt/sources.list"
    printf 'Dir::Etc::sourcelist "%s/apt/sources.list";\nDir::Etc::sourceparts "%s/apt/sources.list.d";\n' "$scratch" "$scratch" >"$scratch/apt.conf"
    # what env/setup.sh does with packages, without its list of them
    cat >"$scratch/packages.sh" <<'SCRIPT'
say() { echo "$*"; }
fail() { echo "$2"; exit "$1"; }
as_root=()
. "$1/env/offline.sh"
set -eu
if [ "$2" = fetch ]; then fetch_packages "$3" blip-test-tool; else from=$3; eval "$4"; install_fetched blip-test-tool; fi
SCRIPT
    run env APT_CONFIG="$scratch/apt.conf" bash "$scratch/packages.sh" "$scratch" fetch "$scratch/debs"
    exits 0
    is "$(cd "$scratch/debs/debs" && ls -- *.deb | tr '\n' ' ')" "blip-test-library_1_all.deb blip-test-tool_1_all.deb " "what was fetched"
    rm -r "$scratch/repository"
    # as far as before dpkg, which would change this machine
    only_unpack='apt-get() { command apt-get -o Dir::Bin::dpkg=/bin/true -o Debug::pkgDPkgPM=1 "$@"; }; as_root=()'
    run "${offline[@]}" bash "$scratch/packages.sh" "$scratch" install "$scratch/debs" "$only_unpack"
    exits 0; says "blip-test-tool_1_all.deb"; says "blip-test-library_1_all.deb"
    new_case "packages for another distribution are refused"
    echo "Other Linux 1" >"$scratch/debs/system"
    run "${offline[@]}" bash "$scratch/packages.sh" "$scratch" install "$scratch/debs" true
    exits 66; says "the packages in $scratch/debs are for Other Linux 1, this is "
fi
summary
