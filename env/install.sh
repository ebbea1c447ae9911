#!/usr/bin/env bash
# Puts what was built where all users of a machine find it, or takes it away again; called by `make install` and
# `make uninstall`.
#
#   env/install.sh install BUILD PREFIX DESTDIR TORCH_ROOT
#   env/install.sh uninstall VERSION PREFIX DESTDIR
#
# Everything lies in PREFIX/lib/blip_mpi/VERSION, so that versions stand beside each other. Outside of it there are links
# alone, to the version that was installed last: programs in bin, man pages, completions, and share/blip_mpi, beside a
# modulefile of each version. Uninstalling points them to the newest version that is left, and removes folders that
# installing made. DESTDIR goes before every path that is written, for packages.
# The programs find LibTorch by the link `torch` in the version's folder; LIBTORCH at run time goes before it. With
# COPY_LIBTORCH=1 the libraries of LibTorch are copied there instead (3.6 GB with CUDA).
# Exit: 64 usage, 66 something is missing, or other users could not read LibTorch, 74 files cannot be written.
set -euo pipefail
umask 022
cd "$(dirname "$0")/.."
fail() {
    echo "install: $2" >&2
    exit "$1"
}
[ $# -ge 4 ] || fail 64 "usage: see the head of $0"
action=$1 build=$2 prefix=$3 destdir=$4
version=$(sed -n 's/.*program_version = "\(.*\)".*/\1/p' include/blip/base/version.h)
[ "$action" = install ] || version=$build
[[ $prefix == /* ]] || fail 64 "PREFIX=$prefix is no absolute path"
[[ $prefix != *[[:space:]]* ]] || fail 64 "PREFIX=$prefix has a blank in it"
versions=$destdir$prefix/lib/blip_mpi
home=$versions/$version
made=$versions/.made_folders # those that installing made outside of the versions' own

# links of VERSION: "LINK TARGET", relative to PREFIX and to the folder of the link
links_of() {
    local own=lib/blip_mpi/$1 name
    for name in blip_mpi coco_pack; do
        echo "bin/$name ../$own/bin/$name"
        echo "share/man/man1/$name.1 ../../../$own/share/man/man1/$name.1"
        echo "share/bash-completion/completions/$name ../../../$own/share/bash-completion/completions/$name"
        echo "share/zsh/site-functions/_$name ../../../$own/share/zsh/site-functions/_$name"
    done
    echo "share/blip_mpi ../$own"
}
module=share/modulefiles/blip_mpi/$version
newest() { # of the versions that are there
    find "$versions" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' 2>/dev/null | sort -V | tail -n 1
}
make_folder() { # and notes which of its path were not there
    [ ! -d "$1" ] || return 0
    make_folder "$(dirname "$1")"
    mkdir "$1" || fail 74 "cannot make the folder $1: another PREFIX=, or as root"
    new_folders+=("${1#"$destdir"}")
}
# ours LINK: it leads into a version of ours
ours() { [ -L "$1" ] && [[ $(readlink "$1") == *lib/blip_mpi/* ]]; }
set_links() { # VERSION
    local link target
    while read -r link target; do
        make_folder "$(dirname "$destdir$prefix/$link")"
        ln -sfn "$target" "$destdir$prefix/$link"
    done < <(links_of "$1")
}

# ---- whether others could run it -------------------------------------------------------------------------------------------
# unreadable_for_others PATH: prints the first thing on the way to it, or in it, that they may not pass or read
unreadable_for_others() {
    local path one mode
    path=$(realpath "$1")
    one=$path
    while [ "$one" != / ]; do
        mode=$(stat -c %a "$one")
        [ $((8#$mode & 1)) -ne 0 ] || { echo "$one"; return; }
        one=$(dirname "$one")
    done
    find "$path/lib" -maxdepth 1 -name 'lib*.so*' ! -perm -o+r -print -quit
}
# A PREFIX in the installer's own home is for the installer alone.
for_others() { [[ $prefix/ != ${HOME:-/nowhere}/* ]]; }
check_torch() {
    local reason='' where
    [ -e "$torch/lib/libtorch_cpu.so" ] || fail 66 "there is no LibTorch in ${torch:-LIBTORCH=}: env/setup.sh, or LIBTORCH="
    for_others && [ -z "${COPY_LIBTORCH:-}" ] || return 0
    where=$(unreadable_for_others "$torch")
    [ -z "$where" ] || reason="other users may not read $where (mode $(stat -c %a "$where"))"
    [[ -n $reason || $(realpath "$torch")/ != $(realpath "${HOME:-/nowhere}" 2>/dev/null)/* ]] || reason="that is in a home, from which it may vanish"
    [ -z "$reason" ] ||
        fail 66 "LibTorch is in $torch, but $reason. make install COPY_LIBTORCH=1 puts a copy beside the programs; or put LibTorch where all can read it, and give LIBTORCH= to make build and make install; a PREFIX in your own home is for you alone"
}
copy_torch() {
    local folder to=$home/libtorch
    mkdir -p "$to/torch"
    cp -a --reflink=auto "$torch/lib" "$to/torch"
    for file in version.py build-version; do
        [ ! -e "$torch/$file" ] || cp "$torch/$file" "$to/torch"
    done
    # where the wheels of CUDA's libraries have theirs
    for folder in "$torch"/../nvidia/*/lib; do
        [ -d "$folder" ] || continue
        mkdir -p "$to/nvidia/$(basename "$(dirname "$folder")")"
        cp -a --reflink=auto "$folder" "$to/nvidia/$(basename "$(dirname "$folder")")"
    done
    chmod -R u=rwX,go=rX "$to"
    ln -s libtorch/torch "$home/torch"
}

# ---- install ---------------------------------------------------------------------------------------------------------------
install_version() {
    local torch=$1 link target file new_folders=()
    [ -x "$build/bin/blip_mpi_cpu" ] || fail 66 "$build/bin/blip_mpi_cpu is absent: make build"
    check_torch
    while read -r link target; do
        [ ! -e "$destdir$prefix/$link" ] || ours "$destdir$prefix/$link" ||
            fail 64 "$prefix/$link is there and not from this installation: remove it, or take another PREFIX="
    done < <(links_of "$version")
    make_folder "$versions"
    rm -rf "$home"
    mkdir -p "$home"/{bin,libexec,jobs,share/blip_mpi,share/doc,share/man/man1,share/bash-completion/completions,share/zsh/site-functions}
    for file in "$build"/bin/*; do install "$file" "$home/libexec"; done
    for file in blip_mpi coco_pack; do ln -s "../libexec/$file" "$home/bin/$file"; done
    if [ -n "${COPY_LIBTORCH:-}" ]; then
        copy_torch
    else
        ln -s "$(realpath "$torch")" "$home/torch"
    fi
    install -m 644 data_prep/*vocab* "$home/share/blip_mpi"
    install -m 644 LICENSE README.md env/release/CHANGELOG.md "$home/share/doc"
    install -m 644 jobs/* "$home/jobs"
    chmod 755 "$home"/jobs/{chain,local}.sh
    # a queue runs a copy of a script, which knows nothing of the place it was copied from
    sed -i -e "s|^: \"\${BLIP_HOME:=.*|: \"\${BLIP_HOME:=$prefix/lib/blip_mpi/$version}\"|" \
        -e 's|^: "${BLIP:=$BLIP_HOME/build/bin/|: "${BLIP:=$BLIP_HOME/bin/|' \
        -e 's|^# the folder that holds jobs/.*|# the folder of this version|' "$home"/jobs/*.{sbatch,flux,pbs}
    { "$home/libexec/blip_mpi" --describe-options && "$home/libexec/coco_pack" --describe-options; } |
        python3 env/release/pages.py "$version" "$home/share"
    make_folder "$(dirname "$destdir$prefix/$module")"
    sed -e "s|@VERSION@|$version|" -e "s|@HOME@|$prefix/lib/blip_mpi/$version|" env/release/modulefile >"$destdir$prefix/$module"
    set_links "$version"
    [ ${#new_folders[@]} -eq 0 ] || printf '%s\n' "${new_folders[@]}" >>"$made"
    echo "installed blip_mpi $version in $prefix/lib/blip_mpi/$version, with links in $prefix; try it out: $prefix/bin/blip_mpi check"
}

# ---- uninstall -------------------------------------------------------------------------------------------------------------
uninstall_version() {
    local link target left folder new_folders=()
    [ -d "$home" ] || fail 66 "blip_mpi $version is not installed in $prefix; there: $(find "$versions" -mindepth 1 -maxdepth 1 -type d -printf '%f ' 2>/dev/null)"
    rm -rf "$home" || true
    rm -f "$destdir$prefix/$module"
    [ ! -e "$home" ] || fail 74 "cannot remove $home"
    left=$(newest)
    if [ -n "$left" ]; then
        set_links "$left"
        echo "uninstalled blip_mpi $version; $prefix/bin/blip_mpi is $left now"
        return
    fi
    while read -r link target; do
        ! ours "$destdir$prefix/$link" || rm "$destdir$prefix/$link"
    done < <(links_of "$version")
    sort -r "$made" 2>/dev/null | while read -r folder; do
        [ "$destdir$folder" != "$versions" ] || rm -f "$made"
        rmdir "$destdir$folder" 2>/dev/null || true
    done
    rm -f "$made"
    echo "uninstalled blip_mpi $version"
}

case $action in
install) install_version "${5:-}" ;;
uninstall) uninstall_version ;;
*) fail 64 "$action is neither install nor uninstall" ;;
esac
