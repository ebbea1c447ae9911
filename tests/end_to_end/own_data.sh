#!/usr/bin/env bash
# test: quick sanitizers
# What people's own folders and tables have beside the form that they are in: packed, or told, never dropped in silence.
cd "$(dirname "$0")/../.." && exec python3 tests/end_to_end/own_data.py
