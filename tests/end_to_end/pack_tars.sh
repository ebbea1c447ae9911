#!/usr/bin/env bash
# test: quick sanitizers
# WebDataset's tars: packed as the same files in a folder are, and bad ones are told.
cd "$(dirname "$0")/../.." && exec python3 tests/end_to_end/pack_tars.py
