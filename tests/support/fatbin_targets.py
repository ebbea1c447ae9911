#!/usr/bin/env python3
"""Lists what GPU code an ELF file holds, as `cuobjdump --list-elf --list-ptx` would where it is installed:
one line per fat binary, like "sm_80 sm_90 sm_100 compute_100". Nothing for a file without GPU code.

Called by tests/setup/cuda_build.sh as: fatbin_targets.py FILE...
"""
import struct
import sys

MAGIC = 0xBA55ED50
KINDS = {1: 'compute_', 2: 'sm_'}


def sections(data, wanted):
    """Contents of the sections of that name of a 64-bit little-endian ELF file."""
    table, = struct.unpack_from('<Q', data, 0x28)
    size, count, names = struct.unpack_from('<HHH', data, 0x3A)
    headers = [struct.unpack_from('<IIQQQQ', data, table + i * size) for i in range(count)]
    for name, _, _, _, offset, length in headers:
        begin = headers[names][4] + name
        if data[begin:data.index(b'\0', begin)].decode() == wanted:
            yield data[offset:offset + length]


def targets(section):
    """Per fat binary the targets in it: header of 16 bytes, then entries with kind, lengths and architecture."""
    at = 0
    while at + 16 <= len(section):
        magic, _, header, length = struct.unpack_from('<IHHQ', section, at)
        if magic != MAGIC:
            at += 8
            continue
        entry, at = at + header, at + header + length
        found = []
        while entry < at:
            kind, _, entry_header, entry_length = struct.unpack_from('<HHIQ', section, entry)
            arch, = struct.unpack_from('<I', section, entry + 28)
            found.append(f'{KINDS.get(kind, "unknown_")}{arch}')
            entry += entry_header + entry_length
        yield found


for path in sys.argv[1:]:
    with open(path, 'rb') as file:
        content = file.read()
    for part in sections(content, '.nv_fatbin'):
        for found in targets(part):
            print(*found)
