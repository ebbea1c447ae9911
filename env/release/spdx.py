#!/usr/bin/env python3
"""Writes the list of what a bundle carries and under which licences, in SPDX 2.3's tag-value form. Called by env/bundle.sh.

    spdx.py VERSION CREATED <ORIGINS >LIST

ORIGINS: a line "FILE IN THE BUNDLE<tab>FILE THAT IT IS A COPY OF", which is a source below env/ where it is blip_mpi's own.
CREATED: a time as 2026-01-31T12:00:00Z. Packages are Debian's; where there is no dpkg each library stands for itself, without a
licence. Exit 66: a package has no row in licences.txt.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

rows = [line.split(None, 1) for line in (pathlib.Path(__file__).parent / 'licences.txt').read_text().splitlines()
        if line and not line.startswith('#')]


def package_of(source):
    """Name and version of the package that a file is from; /usr may be merged with /."""
    real = os.path.realpath(source)
    if shutil.which('dpkg-query'):
        for path in (real, real.removeprefix('/usr')):
            said = subprocess.run(['dpkg-query', '-S', path], capture_output=True, text=True).stdout
            if said:
                name = said.split(': ')[0]
                return name.split(':')[0], subprocess.run(['dpkg-query', '-W', '-f', '${Version}', name], capture_output=True, text=True).stdout
    return os.path.basename(source), ''


def package(name, version, licence, files):
    text = f'\nPackageName: {name}\nSPDXID: SPDXRef-{re.sub("[^A-Za-z0-9.-]", "-", name)}\n'
    text += f'PackageVersion: {version}\n' if version else ''
    return text + (f'PackageDownloadLocation: NOASSERTION\nFilesAnalyzed: false\nPackageLicenseConcluded: NOASSERTION\n'
                   f'PackageLicenseDeclared: {licence}\nPackageCopyrightText: NOASSERTION\nPackageComment: {" ".join(sorted(files))}\n')


def main():
    version, created = sys.argv[1:]
    carried, own = {}, ['bin', 'libexec', 'jobs', 'share/blip_mpi']
    for line in sys.stdin.read().splitlines():
        file, source = line.split('\t')
        if source.startswith('env/'):
            own.append(file)
        else:
            carried.setdefault(package_of(source), set()).add(file)
    text = (f'SPDXVersion: SPDX-2.3\nDataLicense: CC0-1.0\nSPDXID: SPDXRef-DOCUMENT\nDocumentName: blip_mpi-{version}\n'
            f'DocumentNamespace: urn:blip_mpi:bundle:{version}:{created}\nCreator: Tool: env/bundle.sh\nCreated: {created}\n')
    text += package('blip_mpi', version, 'Apache-2.0', own)
    # headers that are compiled into the programs
    for name, licence in (('nlohmann-json', 'MIT'), ('random123', 'BSD-3-Clause'), ('spdlog-headers', 'MIT')):
        text += package(name, '', licence, ['libexec'])
    for (name, of_package), files in sorted(carried.items()):
        found = [licence for pattern, licence in rows if re.fullmatch(pattern, name)]
        if not found and of_package:
            print(f'bundle: {name} has no row in env/release/licences.txt', file=sys.stderr)
            sys.exit(66)
        text += package(name, of_package, found[0] if found else 'NOASSERTION', files)
    text += '\nLicenseID: LicenseRef-public-domain\nExtractedText: <text>Put into the public domain by its authors.</text>\n'
    print(text, end='')


main()
