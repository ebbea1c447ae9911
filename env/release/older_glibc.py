#!/usr/bin/env python3
"""Lets libraries that were built on a newer glibc load on an older one. Called by env/bundle.sh.

    older_glibc.py LIBRARY FILE...

LIBRARY defines functions of newer glibcs. Where these are all that a FILE takes of a version, they lose the version in FILE's
table of symbols, and the version is taken off the list of those that FILE needs: the loader then does not refuse a glibc without
it, and finds the functions by name, in glibc or else in LIBRARY. Prints the files that it changed, which need LIBRARY from now on.
"""
import pathlib
import struct
import sys

SYMBOLS, DEFINED, NEEDED, VERSIONS = 11, 0x6ffffffd, 0x6ffffffe, 0x6fffffff    # types of sections
WITHOUT_VERSION = 1    # VER_NDX_GLOBAL


class Elf:
    """Dynamic symbols and versions of a little-endian 64-bit ELF file."""

    def __init__(self, path):
        self.bytes = bytearray(pathlib.Path(path).read_bytes())
        assert self.bytes[:6] == b'\x7fELF\x02\x01', path
        at, = self.read('<Q', 40)
        size, count = self.read('<HH', 58)
        # name, type, flags, address, offset, size, link, info, alignment, size of an entry
        self.sections = [self.read('<IIQQQQIIQQ', at + i * size) for i in range(count)]

    def read(self, form, at):
        return struct.unpack_from(form, self.bytes, at)

    def of_type(self, number):
        return next((section for section in self.sections if section[1] == number), None)

    def text(self, section, offset):
        begin = self.sections[section[6]][4] + offset
        return self.bytes[begin:self.bytes.index(0, begin)].decode()

    def needed(self):
        """(index, name, place of the entry, place of the entry of its file) of each version that the file needs."""
        section = self.of_type(NEEDED)
        file_at = section[4] if section else None
        while file_at is not None:
            _, count, _, first, further = self.read('<HHIII', file_at)    # vn_version, vn_cnt, vn_file, vn_aux, vn_next
            at = file_at + first
            for _ in range(count):
                _, _, index, name, following = self.read('<IHHII', at)    # vna_hash, _flags, _other, _name, _next
                yield index, self.text(section, name), at, file_at
                at += following
            file_at = file_at + further if further else None

    def symbols(self):
        """(name, whether it is defined here, place of its version's index) of each symbol."""
        section, versions = self.of_type(SYMBOLS), self.of_type(VERSIONS)
        for i in range(section[5] // 24 if section else 0):
            name, _, _, defined_in = self.read('<IBBH', section[4] + i * 24)    # st_name, st_info, st_other, st_shndx
            yield self.text(section, name), defined_in != 0, versions[4] + i * 2 if versions else None

    def drop(self, at, file_at):
        """Takes a version off the list of those that are needed of a file; another one stays there."""
        _, count, _, first, _ = self.read('<HHIII', file_at)
        following, = self.read('<I', at + 12)
        if file_at + first == at:
            struct.pack_into('<I', self.bytes, file_at + 8, first + following)
        else:
            before = next(entry for _, _, entry, _ in self.needed() if entry + self.read('<I', entry + 12)[0] == at)
            struct.pack_into('<I', self.bytes, before + 12, at - before + following if following else 0)
        struct.pack_into('<H', self.bytes, file_at + 2, count - 1)


def main():
    there = {name for name, defined, _ in Elf(sys.argv[1]).symbols() if defined}
    for path in sys.argv[2:]:
        file = Elf(path)
        changed = False
        for index, _, at, file_at in list(file.needed()):
            taken = [(name, place) for name, defined, place in file.symbols() if not defined and file.read('<H', place)[0] & 0x7fff == index]
            if taken and {name for name, _ in taken} <= there and file.read('<H', file_at + 2)[0] > 1:
                for _, place in taken:
                    struct.pack_into('<H', file.bytes, place, WITHOUT_VERSION)
                file.drop(at, file_at)
                changed = True
        if changed:
            pathlib.Path(path).write_bytes(file.bytes)
            print(path)


if __name__ == '__main__':
    main()
