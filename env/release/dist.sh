#!/usr/bin/env bash
# Makes an archive of the sources of the commit that is checked out; called by `make dist`.
#
#   env/release/dist.sh OUTPUT_DIR
#
# Writes OUTPUT_DIR/blip_mpi-VERSION.tar.gz and its SHA-256. CHANGELOG.md and CITATION.cff lie at its top, and
# env/release/commit tells of which commit it is, as --version then does. The same commit gives the same bytes: names are
# sorted, and all times are that of the commit (or SOURCE_DATE_EPOCH).
# Exit: 66 this is no clone, 74 it cannot be written.
set -euo pipefail
cd "$(dirname "$0")/../.."
output=$1
[ -e .git ] || { echo "dist: the sources here are no clone of the repository: make dist needs one" >&2; exit 66; }
version=$(sed -n 's/.*program_version = "\(.*\)".*/\1/p' include/blip/base/version.h)
name=blip_mpi-$version
mkdir -p "$output" || exit 74
made=$(mktemp -d "$output/.dist-XXXXXX")
trap 'rm -rf "$made"' EXIT
git archive --prefix="$name/" HEAD | tar -C "$made" -xf -
[ -z "$(git status --porcelain --untracked-files=no)" ] || echo "dist: what is not committed is left out" >&2
commit=$(git rev-parse --short=8 HEAD)
date=$(git log -1 --format=%cs)
echo "$commit" >"$made/$name/env/release/commit"
mv "$made/$name/env/release/CHANGELOG.md" "$made/$name"
{
    cat "$made/$name/env/release/CITATION.cff"
    printf 'version: "%s"\ncommit: "%s"\ndate-released: %s\n' "$version" "$commit" "$date"
} >"$made/$name/CITATION.cff"
rm "$made/$name/env/release/CITATION.cff"
ln -s ../../CHANGELOG.md "$made/$name/env/release/CHANGELOG.md" # where installing looks
tar -C "$made" --sort=name --mtime="@${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}" --owner=0 --group=0 --numeric-owner \
    --mode=u+rwX,go+rX,go-w --format=gnu -cf - "$name" | gzip -9n >"$made/$name.tar.gz"
mv "$made/$name.tar.gz" "$output/$name.tar.gz"
(cd "$output" && sha256sum "$name.tar.gz" | tee "$name.tar.gz.sha256")
