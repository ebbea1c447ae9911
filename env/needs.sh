# shellcheck shell=bash
# Sourced by env/setup.sh: which of the tools and libraries of env/needs.txt this machine lacks, and how to get them with and
# without being its administrator. A row here is a line "for what debian spack conda".
# shellcheck disable=SC2154  # here: the folder of env/setup.sh
needs_table=$here/needs.txt
as_root=() # what goes before apt-get; set by can_install

compiler_version() { g++ -dumpversion 2>/dev/null | cut -d. -f1; }
# The compiler that the Makefile takes.
compiler() {
    if [ "$(compiler_version)" -ge 12 ] 2>/dev/null || ! command -v g++-12 >/dev/null 2>&1; then
        echo g++
    else
        echo g++-12
    fi
}
# Open MPI's wrapper, not another MPI's: the Makefile asks it with --showme. A site's own is named by MPICXX.
have_mpicxx() { "${MPICXX:-mpicxx}" --showme:version 2>/dev/null | grep -q 'Open MPI'; }
have_mpirun() {
    command -v mpirun >/dev/null 2>&1 || { [ -n "${MPICXX:-}" ] && [ -x "$(dirname "$(command -v "$MPICXX" || echo /)")/mpirun" ]; }
}

# have_other WHAT: the rules for what is neither a plain command nor a header
have_other() {
    case $1 in
        g++-12) ! command -v g++ >/dev/null 2>&1 || [ "$(compiler_version)" -ge 12 ] || command -v g++-12 >/dev/null 2>&1 ;;
        pip) { have_torch && have_nvcc; } || python3 -m pip --version >/dev/null 2>&1 ;;
        certificates) [ -e /etc/ssl/certs/ca-certificates.crt ] || [ -e /etc/pki ] || [ -n "${SSL_CERT_FILE:-}" ] ;;
        mpirun) have_mpirun ;;
        mpicxx) have_mpicxx ;;
        libfuzzer) [ -n "$(compgen -G "$(clang++ -print-resource-dir 2>/dev/null)/lib/*/libclang_rt.fuzzer*.a")" ] ;;
        h5py) python3 -c 'import h5py' 2>/dev/null || /usr/bin/python3 -c 'import h5py' 2>/dev/null ;; # Debian's Python has Debian's
        *) fail 70 "env/needs.txt: no rule for $1" ;;
    esac
}

# Numbers (line of the table) of headers that the preprocessor does not find, a site's own CPATH included, and "N.pc" where
# pkg-config does not know the module, from which the Makefile takes the flags to link with. Without a compiler none can be
# seen: all are listed.
missing_headers() {
    local number one module flags modules cxx
    cxx=$(compiler)
    if ! command -v "$cxx" >/dev/null 2>&1; then
        awk '$2 == "header" {print NR}' "$needs_table"
        return
    fi
    modules=$(awk '$2 == "header" && $4 != "-" {gsub("[|]", "\n", $4); print $4}' "$needs_table")
    # shellcheck disable=SC2086  # names of modules
    read -ra flags <<<"$(for module in $modules; do pkg-config --cflags-only-I "$module" 2>/dev/null; done | tr '\n' ' ')"
    awk '$2 == "header" {printf "#if !__has_include(<%s>)\n%d\n#endif\n", $3, NR}' "$needs_table" | "$cxx" -E -P -x c++ "${flags[@]}" -
    command -v pkg-config >/dev/null 2>&1 || return 0
    awk '$2 == "header" && $4 != "-" {print NR, $4}' "$needs_table" | while read -r number module; do
        for one in ${module//|/ }; do
            pkg-config --exists "$one" 2>/dev/null && continue 2
        done
        echo "$number.pc"
    done
}

# Rows of all that is missing, judged by what the shell and the compiler really find. With the argument `slurm` those of a
# Slurm for the tests instead, without it all others.
missing_needs() {
    local only=${1:-} use kind what module debian spack conda number=0 headers
    if [ "$only" = slurm ]; then
        while read -r use kind what module debian spack conda; do
            [ "$use" != slurm ] || command -v "$what" >/dev/null 2>&1 || echo "$use $what $debian $spack $conda"
        done <"$needs_table"
        return
    fi
    headers=" $(missing_headers | tr '\n' ' ')"
    while read -r use kind what module debian spack conda; do
        number=$((number + 1))
        [ "$use" != slurm ] || continue
        case $kind in
            command) ! command -v "$what" >/dev/null 2>&1 || continue ;;
            header)
                if [[ $headers != *" $number "* ]]; then
                    [[ $headers == *" $number.pc "* ]] || continue
                    what=${module//|/.pc|}.pc
                fi
                ;;
            other) ! have_other "$what" || continue ;;
            *) continue ;;
        esac
        echo "$use $what $debian $spack $conda"
    done <"$needs_table"
}

# column NUMBER ROW...: that word of each row, once each, on one line
column() {
    local number=$1
    shift
    printf '%s\n' "$@" | awk -v n="$number" '$n != "-" && !seen[$n]++ {printf "%s%s", s, $n; s = " "}'
}

# advise ROW...: what is missing, and the ways to get it without being root here
advise() {
    local use what debian spack conda loadable conda_list
    say "missing on this machine, and what brings it:"
    {
        echo "for what Debian/Ubuntu Spack conda-forge"
        printf '%s\n' "$@"
    } | while read -r use what debian spack conda; do
        printf 'setup:   %-6s %-27s %-29s %-28s %s\n' "$use" "$what" "$debian" "$spack" "$conda" >&2
    done
    { command -v "$(compiler)" && command -v pkg-config; } >/dev/null 2>&1 ||
        say "  (without a compiler and pkg-config libraries cannot be looked for: some of them may be there)"
    say "ways to get it, one of these, then run env/setup.sh again:"
    say "  - the machine's administrator:  apt-get install $(column 3 "$@")"
    loadable=$(column 4 "$@" | tr ' ' '\n' | sed -E 's/[@+].*//' | grep -xE 'gcc|openmpi|hdf5|boost|python|git|llvm' | tr '\n' ' ' || true)
    [ -z "$loadable" ] || say "  - environment modules:  module avail, then as your site names them:  module load ${loadable% }"
    say "  - Spack:  spack repo add $here/spack/spack_repo/blip_mpi && spack env create blip_mpi $here/spack.yaml && spack -e blip_mpi install && spack env activate blip_mpi"
    conda_list=$(column 5 "$@")
    [ -z "$conda_list" ] || say "  - conda:  conda create -n blip_mpi -c conda-forge '${conda_list// /\' \'}' && conda activate blip_mpi"
    say "    then for the compiler:  export CPATH=\$CONDA_PREFIX/include LIBRARY_PATH=\$CONDA_PREFIX/lib LDFLAGS=\"\$LDFLAGS -Wl,-rpath,\$CONDA_PREFIX/lib\""
    [[ " $* " != *" random123 - "* ]] || say "    Random123 is not on conda-forge: unpack github.com/DEShawResearch/random123 and add its include folder to CPATH"
    [[ " $* " != *" python3-pip "* ]] ||
        say "    without pip:  LIBTORCH= names a torch 2.11 that is on this machine, CUDA_HOME= a CUDA 13 toolkit (or CUDA=0)"
    [[ " $* " != *" mpicxx "* ]] || ! command -v "${MPICXX:-mpicxx}" >/dev/null 2>&1 ||
        say "  (${MPICXX:-mpicxx} is there, but not Open MPI's: MPICXX= names the right one)"
}

# Whether packages can be installed here; sets as_root.
can_install() {
    command -v apt-get >/dev/null 2>&1 || return 1
    as_root=()
    [ "$(id -u)" -ne 0 ] || return 0
    command -v sudo >/dev/null 2>&1 && { sudo -n true 2>/dev/null || [ -t 0 ]; } || return 1
    as_root=(sudo)
}
install_packages() { # PACKAGE...
    if [ -n "$from" ]; then
        install_fetched "$@"
        return
    fi
    local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300)
    say "installing $*"
    "${apt[@]}" update >&2 || fail 74 "apt-get update failed; missing: $*"
    # Ubuntu 22.04's clang brings its run-time library along, and has no package of that name.
    if [[ " $* " == *" libclang-rt-dev "* ]] && ! apt-cache show libclang-rt-dev >/dev/null 2>&1; then
        local package kept=()
        for package in "$@"; do [ "$package" = libclang-rt-dev ] || kept+=("$package"); done
        [ ${#kept[@]} -gt 0 ] || return 0
        set -- "${kept[@]}"
    fi
    "${apt[@]}" install --no-install-recommends "$@" >&2 || fail 74 "apt-get install failed: $*"
}

# A Slurm for the tests, none of whose daemons the installation starts. Without it its tests say that they are skipped: no
# reason to stop here.
install_slurm() {
    local rows policy=/usr/sbin/policy-rc.d packages
    mapfile -t rows < <(missing_needs slurm)
    [ ${#rows[@]} -gt 0 ] || return 0
    read -ra packages <<<"$(column 3 "${rows[@]}")"
    if ! can_install; then
        say "going on without ${packages[*]}: only tests need it, and it cannot be installed here (no root, or no apt)"
        return 0
    fi
    (
        if [ ! -e $policy ]; then
            trap '"${as_root[@]}" rm -f $policy' EXIT
            printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $policy >/dev/null
            "${as_root[@]}" chmod 755 $policy
        fi
        install_packages "${packages[@]}"
    ) || say "going on without ${packages[*]}: only tests need it"
}

# A browser for the test of reports, which says that it is skipped without one.
install_browser() {
    ! command -v chromium >/dev/null || return 0
    if can_install; then (install_packages chromium) || true; fi
    command -v chromium >/dev/null || say "going on without chromium: only a test needs it"
}
