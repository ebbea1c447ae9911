# shellcheck shell=bash
# Sourced by the setup_ and bundle scripts: a command that sees this machine without some of its tools, headers or libraries,
# and one that runs as nobody. Both in namespaces of their own: nothing on the machine changes.
can_hide() { unshare -rm true 2>/dev/null; }
# without PATH... -- COMMAND...: files are neither readable as what they were nor executable, directories are empty
without() {
    local hidden=()
    while [ "$1" != -- ]; do
        [ ! -e "$1" ] || hidden+=("$(realpath "$1")")
        shift
    done
    shift
    # shellcheck disable=SC2016
    unshare -rm bash -c '
        while [ "$1" != -- ]; do
            if [ -d "$1" ]; then mount -t tmpfs none "$1"; elif [ -e "$1" ]; then mount --bind /dev/null "$1"; fi || exit 70
            shift
        done
        shift
        exec "$@"' bash "${hidden[@]}" -- "$@"
}
# as_nobody COMMAND...: neither root nor sudo
as_nobody() { unshare -U "$@"; }
# path_without COMMAND...: makes $scratch/path, a PATH of links to all of this machine's usual commands but these
path_without() {
    # shellcheck disable=SC2154  # of shell_test.sh
    local path=$scratch/path name
    rm -rf "$path"
    mkdir "$path"
    cp -s /usr/sbin/* /usr/bin/* "$path" 2>/dev/null # of two with one name the first is taken
    for name in "$@"; do rm -f "$path/$name"; done
}
# Places of nvcc where env/setup.sh looks.
every_nvcc() { printf '%s\n' /usr/local/cuda/bin/nvcc; type -ap nvcc; }
