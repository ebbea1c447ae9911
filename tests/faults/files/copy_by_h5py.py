#!/usr/bin/env python3
"""copy_by_h5py.py FILE NEW: the same tables and attributes as h5py stores them on its own. Called by other_writers.sh."""
import sys

import h5py


def copy(group, new):
    for name, value in group.attrs.items():
        new.attrs[name] = value.decode() if isinstance(value, bytes) else value    # of variable length
    for name, member in group.items():
        if isinstance(member, h5py.Group):
            copy(member, new.create_group(name))
        else:
            new.create_dataset(name, data=member[()])


with h5py.File(sys.argv[1]) as file, h5py.File(sys.argv[2], "w") as copied:
    copy(file, copied)
