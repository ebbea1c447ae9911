# shellcheck shell=bash
# shellcheck disable=SC2154  # deps: the cache, set by env/setup.sh
# Sourced by env/setup.sh: installs a set of PyPI wheels (LibTorch; the CUDA compiler) into a directory of $deps, so that it
# is there whole or not at all. An installed set carries the hash of the list it was made from; the directory gets its name
# only when all of it is on disk, so one without the right mark is never used.
wheels_mark() { sha256sum "$1" | cut -d' ' -f1; }
# The wheels are for one platform and one Python whatever this machine's Python is: C++ does not care.
wheel_platforms=(--python-version 3.11 --platform manylinux2014_x86_64)
for i in 28 27 26 25 24 23 22 21 20 19 18 17; do wheel_platforms+=(--platform "manylinux_2_${i}_x86_64"); done
from='' # a folder of wheels, the only place where pip looks then (env/setup.sh --from)
pip_source() { # sets the array `source_of_wheels`
    source_of_wheels=()
    [ -z "$from" ] || source_of_wheels=(--no-index --find-links "$from/wheels")
}
# have_wheels DIR REQUIREMENTS
have_wheels() { [ "$(cat "$1/.complete" 2>/dev/null)" = "$(wheels_mark "$2")" ]; }

# install_wheels TITLE NOTE DIR REQUIREMENTS NEED_MB VERIFY: NEED_MB is the space for wheels and files at once; VERIFY is called
# with the unpacked directory and prints what is wrong, if anything.
install_wheels() {
    local title=$1 note=$2 dir=$3 requirements=$4 need_mb=$5 verify=$6 free_mb staging old source_of_wheels
    mkdir -p "$deps" 2>/dev/null && [ -w "$deps" ] || fail 74 "cannot write to $deps: set BLIP_DEPS to a folder that is yours"
    exec 9>"$deps/.lock"
    flock -n 9 || { say "another set-up is at work in $deps, waiting" && flock 9; }
    if have_wheels "$dir" "$requirements"; then
        exec 9>&-
        return
    fi
    rm -rf "$deps"/.staging-* # left by a set-up that was killed: the lock says that nobody is at work

    free_mb=$(df -Pm "$deps" | awk 'NR == 2 {print $4}')
    [ "$free_mb" -ge "$need_mb" ] ||
        fail 74 "$deps has $free_mb MB free, $title needs $need_mb MB: set BLIP_DEPS to another place"
    say "installing $title ($note) into $dir"
    staging=$(mktemp -d "$deps/.staging-XXXXXX")
    # shellcheck disable=SC2064  # the name as it is now
    trap "rm -rf '$staging'" EXIT
    trap 'exit 74' INT TERM HUP
    pip_source
    mkdir "$staging/tmp"
    TMPDIR=$staging/tmp PIP_ROOT_USER_ACTION=ignore python3 -m pip install --require-hashes -r "$requirements" --no-deps --only-binary=:all: \
        "${source_of_wheels[@]}" "${wheel_platforms[@]}" \
        --target "$staging/site" --no-compile --no-cache-dir --disable-pip-version-check --progress-bar off -q >&2 ||
        fail 74 "pip could not install $title. No network here? Run env/setup.sh where there is one, with a BLIP_DEPS that both machines see; or there --download DIR, and here --from DIR"
    rm -rf "$staging/tmp"
    verify_files "$staging/site" "$requirements" || fail 74 "the unpacked $title is not whole"
    "$verify" "$staging/site" || fail 74 "the unpacked $title does not work here"
    wheels_mark "$requirements" >"$staging/site/.complete"
    sync -f "$staging/site" || fail 74 "cannot write $staging to disk"
    old=
    if [ -e "$dir" ]; then
        old=$deps/.staging-old-$$
        mv "$dir" "$old"
    fi
    mv "$staging/site" "$dir"
    sync -f "$deps"
    rm -rf "$staging" ${old:+"$old"}
    trap - EXIT INT TERM HUP
    exec 9>&-
}

# Every wheel of the list is there, with every file that it lists in its full size.
verify_files() {
    python3 - "$1" "$2" <<'PYTHON'
import csv, pathlib, re, sys
site = pathlib.Path(sys.argv[1])
records = {re.sub('[-_.]+', '_', record.parent.name.rsplit('-', 2)[0]).lower(): record for record in site.glob('*.dist-info/RECORD')}
for wheel in re.findall(r'^([A-Za-z0-9_.-]+)==', pathlib.Path(sys.argv[2]).read_text(), re.M):
    if re.sub('[-_.]+', '_', wheel).lower() not in records:
        sys.exit(f'setup: {wheel} is absent from {site}')
for record in records.values():
    for name, _, size in csv.reader(record.open()):
        if name.startswith('..') or not size:
            continue  # scripts go to bin; RECORD itself has no size
        path = site / name
        if not path.is_file() or path.stat().st_size != int(size):
            sys.exit(f'setup: {path} is absent or has another size than {size} bytes')
PYTHON
}
