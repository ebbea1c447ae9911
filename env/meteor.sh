# shellcheck shell=bash
# shellcheck disable=SC2154  # deps: the cache, set by env/setup.sh
# Sourced by env/setup.sh: METEOR's tables for English out of pycocoevalcap's wheel on PyPI, which is pinned by its hash.
# The data files alone are kept: the paraphrase table, WordNet's synonyms and inflections with their license, function words.
# `make build` writes their index beside them, and so does the set-up where the programs are there already.
meteor_dir=$deps/meteor-1.5
meteor_wheel=pycocoevalcap==1.2
meteor_hash=083ed7910f1aec000b0a237ef6665f74edf19954204d0b1cbdb8399ed132228d
meteor_list() { echo "$meteor_wheel --hash=sha256:$meteor_hash"; }
have_meteor() { [ "$(cat "$meteor_dir/.complete" 2>/dev/null)" = "$meteor_hash" ]; }

install_meteor() { # 68 MB installed, and the wheel while it is unpacked
    local staging free_mb source_of_wheels
    mkdir -p "$deps" 2>/dev/null && [ -w "$deps" ] || fail 74 "cannot write to $deps: set BLIP_DEPS to a folder that is yours"
    python3 -m pip --version >/dev/null 2>&1 || fail 66 "METEOR's tables come from PyPI: python3 -m pip is needed (Debian: python3-pip)"
    exec 9>"$deps/.lock"
    flock -n 9 || { say "another set-up is at work in $deps, waiting" && flock 9; }
    if have_meteor; then
        exec 9>&-
        return
    fi
    rm -rf "$deps"/.staging-* # left by a set-up that was killed: the lock says that nobody is at work
    free_mb=$(df -Pm "$deps" | awk 'NR == 2 {print $4}')
    [ "$free_mb" -ge 300 ] || fail 74 "$deps has $free_mb MB free, METEOR's tables need 300 MB: set BLIP_DEPS to another place"
    say "fetching METEOR's tables (downloads 104 MB, keeps 68 MB) into $meteor_dir"
    staging=$(mktemp -d "$deps/.staging-XXXXXX")
    # shellcheck disable=SC2064  # the name as it is now
    trap "rm -rf '$staging'" EXIT
    trap 'exit 74' INT TERM HUP
    mkdir "$staging/tmp" "$staging/meteor"
    meteor_list >"$staging/list"
    pip_source
    TMPDIR=$staging/tmp PIP_ROOT_USER_ACTION=ignore python3 -m pip download --require-hashes -r "$staging/list" --no-deps --only-binary=:all: \
        "${source_of_wheels[@]}" --dest "$staging/wheel" --no-cache-dir --disable-pip-version-check --progress-bar off -q >&2 ||
        fail 74 "pip could not fetch $meteor_wheel. No network here? Run env/setup.sh --with-meteor where there is one, with a BLIP_DEPS that both machines see"
    unpack_meteor "$staging/wheel" "$staging/meteor" || fail 74 "$meteor_wheel does not hold METEOR's tables"
    echo "$meteor_hash" >"$staging/meteor/.complete"
    sync -f "$staging/meteor" || fail 74 "cannot write $staging to disk"
    if [ -e "$meteor_dir" ]; then mv "$meteor_dir" "$staging/old"; fi
    mv "$staging/meteor" "$meteor_dir"
    sync -f "$deps"
    rm -rf "$staging"
    [ ! -x "$here/../build/bin/blip_mpi_score" ] || "$here/../build/bin/blip_mpi_score" --compile-meteor "$meteor_dir" >&2 ||
        say "their index is not written: each start compiles them"
    trap - EXIT INT TERM HUP
    exec 9>&-
}

# unpack_meteor FOLDER_WITH_THE_WHEEL TO: data files only, programs stay where they are
unpack_meteor() {
    python3 - "$1" "$2" <<'PYTHON'
import io, pathlib, shutil, sys, zipfile
wheel, = pathlib.Path(sys.argv[1]).glob('*.whl')
to = pathlib.Path(sys.argv[2])
with zipfile.ZipFile(wheel) as outer:
    with outer.open('pycocoevalcap/meteor/data/paraphrase-en.gz') as table, open(to / 'paraphrase-en.gz', 'wb') as out:
        shutil.copyfileobj(table, out)
    with zipfile.ZipFile(io.BytesIO(outer.read('pycocoevalcap/meteor/meteor-1.5.jar'))) as inner:
        for name in ('function/english.words', 'synonym/english.synsets', 'synonym/english.exceptions', 'synonym/COPYING.WORDNET'):
            (to / name.split('/')[1]).write_bytes(inner.read(name))
PYTHON
}
