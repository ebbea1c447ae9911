#!/usr/bin/env bash
# The commands of the pages, taken out of the pages, each run on small drawn data of the pages' names.
. "$(dirname "$0")/../../env/mpi.sh"
cd "$(dirname "$0")/../.." && exec python3 tests/end_to_end/pages.py "$@"
