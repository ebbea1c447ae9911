# shellcheck shell=bash
# shellcheck disable=SC2154  # here, from, needs_table, torch_dir ...: of env/setup.sh and what it sources
# Sourced by env/setup.sh: fetches all that it would install into one folder, for machines without a network (--download DIR),
# and installs from there (--from DIR). The folder has
#   wheels/   LibTorch's, the CUDA compiler's and METEOR's, from PyPI; each is compared with its hash when it is installed
#   debs/     packages of env/needs.txt with all that they depend on, lists/ and apt/ what apt knows of them
#   system    the distribution that they are for

system_name() { sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release; }
# fetch_wheels TITLE LIST DIR: a requirements file's
fetch_wheels() {
    say "fetching $1 into $3/wheels"
    python3 -m pip download --require-hashes -r "$2" --no-deps --only-binary=:all: "${wheel_platforms[@]}" --dest "$3/wheels" \
        --disable-pip-version-check --progress-bar off -q >&2 || fail 74 "pip could not fetch $1"
}

# apt with its own lists and archives in DIR, as if nothing were installed here (downloading), or knowing what is. It needs no
# root to download.
apt_in() { # DIR ARGUMENT...
    local dir=$1
    shift
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get -q -y -o Dir::State::lists="$dir/lists" -o Dir::Cache::archives="$dir/debs" \
        -o Dir::Etc::sourcelist="$dir/apt/sources.list" -o Dir::Etc::sourceparts="$dir/apt/sources.list.d" \
        -o Debug::NoLocking=1 -o APT::Sandbox::User= -o Acquire::Retries=3 -o APT::Install-Recommends=false "$@" >&2
}
# fetch_packages DIR PACKAGE...
fetch_packages() {
    local dir=$1 list parts names as_root=()
    shift
    eval "$(apt-config shell list Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
    mkdir -p "$dir"/{debs/partial,lists/partial,apt/sources.list.d}
    : >"$dir/apt/sources.list"
    [ ! -r "$list" ] || cp "$list" "$dir/apt/sources.list"
    cp "$parts"/* "$dir/apt/sources.list.d" 2>/dev/null || true
    : >"$dir/.nothing_installed"
    # Ubuntu 22.04's clang brings its run-time library along, and has no package of that name.
    if [[ " $* " == *" libclang-rt-dev "* ]] && ! apt-cache show libclang-rt-dev >/dev/null 2>&1; then
        read -ra names <<<"$(printf '%s ' "$@" | sed 's/libclang-rt-dev //')"
        set -- "${names[@]}"
    fi
    say "fetching $# packages and what they depend on into $dir/debs"
    apt_in "$dir" update || fail 74 "apt-get update failed"
    apt_in "$dir" -o Dir::State::status="$dir/.nothing_installed" --download-only install "$@" || fail 74 "apt-get could not fetch $*"
    rm "$dir/.nothing_installed"
    system_name >"$dir/system"
}
# install_fetched PACKAGE...: out of $from
install_fetched() {
    [ -d "$from/debs" ] || fail 66 "$from has no packages, and these are missing: $*; fetch them on a machine with apt (env/setup.sh --download)"
    [ "$(cat "$from/system")" = "$(system_name)" ] ||
        fail 66 "the packages in $from are for $(cat "$from/system"), this is $(system_name): download on such a machine"
    say "installing $* from $from"
    apt_in "$(realpath "$from")" --no-download install "$@" || fail 74 "apt-get install failed: $*"
}

# download_all DIR WITH_METEOR
download_all() {
    local dir=$1 packages staging
    mkdir -p "$dir/wheels" || fail 74 "cannot write to $dir"
    [ -n "${LIBTORCH:-}" ] || fetch_wheels "LibTorch (2.2 GB)" "$here/requirements-torch.txt" "$dir"
    ! wants_nvcc || [ -n "$(site_nvcc)" ] || fetch_wheels "the CUDA compiler (100 MB)" "$here/requirements-nvcc.txt" "$dir"
    if [ -n "$2" ]; then
        staging=$(mktemp)
        meteor_list >"$staging"
        fetch_wheels "METEOR's tables (104 MB)" "$staging" "$dir"
        rm "$staging"
    fi
    if command -v apt-get >/dev/null 2>&1; then
        read -ra packages <<<"$(awk '/^[^#]/ && $1 != "slurm" && $5 != "-" && !seen[$5]++ {printf "%s ", $5}' "$needs_table")"
        fetch_packages "$dir" "${packages[@]}"
    else
        say "no apt here: packages are left out"
    fi
    say "all is in $dir ($(du -sh "$dir" | cut -f1)); on the other machine: env/setup.sh --from DIR"
}
