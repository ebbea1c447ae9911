#!/usr/bin/env bash
# test: quick sanitizers
# Every form of data that coco_pack reads: the rows are those that Python's csv and json give, and bad input is told.
cd "$(dirname "$0")/../.." && exec python3 tests/end_to_end/pack_forms.py
