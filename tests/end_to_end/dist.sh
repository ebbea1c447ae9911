#!/usr/bin/env bash
# test: quick
# `make dist`: the archive of a commit has the same bytes whenever and wherever it is made, all files of the commit, what
# belongs at its top, a SHA-256 that fits, and knows its commit.
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
[ -e .git ] || { skips dist "this is no clone"; finish; }

new_case "the same commit gives the same bytes, under another umask and from another clone"
run env/release/dist.sh "$scratch/one"
exits 0
git clone -q --no-hardlinks . "$scratch/clone"
(umask 077; TZ=Asia/Tokyo LC_ALL=C "$scratch/clone/env/release/dist.sh" "$scratch/two") >"$output" 2>&1
archive=$(compgen -G "$scratch/one/blip_mpi-*.tar.gz")
cmp "$archive" "$scratch/two/${archive##*/}" || fail "they differ"
run env -C "$scratch/one" sha256sum -c "${archive##*/}.sha256"
exits 0; says ": OK"

new_case "it holds the files of the commit, and at its top the changes and how to cite"
tar -C "$scratch" -xzf "$archive"
tree=$scratch/$(basename "$archive" .tar.gz)
is "$(git ls-tree -r --name-only HEAD | grep -v '^env/release/' | sort | while read -r file; do [ -e "$tree/$file" ] || echo "$file"; done)" "" "files that it lacks"
is "$(find "$tree" -xtype l)" "" "links that lead nowhere"
grep -q "^## $(sed -n 's/.*program_version = "\(.*\)".*/\1/p' include/blip/base/version.h)" "$tree/CHANGELOG.md" || fail "CHANGELOG.md does not tell of this version"
for field in cff-version title version commit authors; do
    grep -q "^$field: *" "$tree/CITATION.cff" || fail "CITATION.cff has no $field"
done
if python3 -c 'import yaml' 2>/dev/null; then
    run python3 -c 'import sys, yaml; assert yaml.safe_load(open(sys.argv[1]))["type"] == "software"' "$tree/CITATION.cff"
    exits 0
fi
new_case "a build of it tells the commit"
run env -C "$tree" env/found.sh --facts g++ mpicxx '' hdf5 '' 0 '' '' '' '' ''
says "commit $(git rev-parse --short=8 HEAD)"
new_case "where there is no clone, it says so"
run "$tree/env/release/dist.sh" "$scratch/three"
exits 66; says "no clone"
summary
