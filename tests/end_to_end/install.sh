#!/usr/bin/env bash
# test: quick
# `make install` and `make uninstall`: another user runs what was installed, installed job scripts find what lies beside
# them, LIBTORCH goes before the installed link, man pages and completions have every option of every verb, versions stand
# side by side, and uninstalling leaves the tree as it was.
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
torch=$(realpath "$build/torch")
version=$(sed -n 's/.*program_version = "\(.*\)".*/\1/p' include/blip/base/version.h)
prefix=$scratch/opt/blip
home=$prefix/lib/blip_mpi/$version
chmod 755 "$scratch"
# as somebody whose home holds the prefix
install_it() { run env HOME="$scratch/opt" env/install.sh install "$build" "$prefix" '' "$torch"; }
tree() { find "$1" -printf '%P %y %l %s\n' | sort; }

new_case "LibTorch that others cannot read: refused, with what to do, and nothing is changed"
mkdir -p "$scratch/private/torch/lib" "$scratch/site"
touch "$scratch/private/torch/lib/libtorch_cpu.so"
chmod 700 "$scratch/private"
run env/install.sh install "$build" "$scratch/site" '' "$scratch/private/torch"
exits 66; says "other users may not read $scratch/private (mode 700)"; says "make install COPY_LIBTORCH=1"; says "LIBTORCH="
is "$(tree "$scratch/site")" " d  $(stat -c %s "$scratch/site")" "what is in the prefix"
run env HOME="$scratch/private" env/install.sh install "$build" "$scratch/site" '' "$scratch/private/torch"
exits 66
new_case "LibTorch in a home that others can read: refused as well"
chmod 755 "$scratch/private"
run env HOME="$scratch/private" env/install.sh install "$build" "$scratch/site" '' "$scratch/private/torch"
exits 66; says "in a home"
new_case "COPY_LIBTORCH=1: the libraries are there, readable, and the link leads to them"
mkdir -p "$scratch/private/nvidia/cu13/lib"
touch "$scratch/private/nvidia/cu13/lib/libcudart.so.13" "$scratch/private/torch/version.py"
chmod 600 "$scratch/private/torch/lib/libtorch_cpu.so"
run env HOME="$scratch/private" COPY_LIBTORCH=1 env/install.sh install "$build" "$scratch/site" '' "$scratch/private/torch"
exits 0
copy=$scratch/site/lib/blip_mpi/$version/torch
is "$(stat -L -c %a "$copy/lib/libtorch_cpu.so")" 644 "mode of the copied library"
[ -e "$copy/../nvidia/cu13/lib/libcudart.so.13" ] || fail "no CUDA runtime beside it"
is "$(readlink "$copy")" libtorch/torch "the link"

new_case "a prefix with files of others in it"
mkdir -p "$prefix/bin" "$prefix/share/man/man1" "$prefix/share/empty"
echo other >"$prefix/bin/other"
tree "$scratch/opt" >"$scratch/before"
echo mine >"$prefix/bin/blip_mpi"
install_it
exits 64; says "$prefix/bin/blip_mpi is there and not from this installation"
is "$(cat "$prefix/bin/blip_mpi")" mine "the file in the way"
rm "$prefix/bin/blip_mpi"
install_it
exits 0
for name in blip_mpi coco_pack; do
    run "$prefix/bin/$name" --version
    exits 0; says "$name $version"
done
is "$(ls "$prefix/bin")" "$(printf '%s\n' blip_mpi coco_pack other)" "what is on everybody's PATH"
new_case "no program names a place of this machine where LibTorch lies"
for program in "$home"/libexec/*; do
    readelf -d "$program" | sed -nE 's/.*R(UN)?PATH.*\[(.*)\]/\2/p' | tr : '\n' | while read -r place; do
        [[ $place == \$ORIGIN/../torch/* || $place == /usr/* ]] || echo "${program##*/}: $place"
    done
done >"$output"
is "$(cat "$output")" "" "run paths"
new_case "the vocabulary, licences and pages are there"
for file in share/blip_mpi/bert-base-uncased-vocab.txt share/doc/LICENSE share/doc/CHANGELOG.md jobs/caption_coco.cfg; do
    [ -r "$home/$file" ] || fail "no $file"
done
export_it=("$prefix/bin/blip_mpi" export --from random --model tiny --to)
run "${export_it[@]}" "$scratch/random"
exits 0
[ -s "$scratch/random/vocab.txt" ] || fail "no vocabulary was found"

new_case "LIBTORCH goes before the link; a wrong one is refused in words"
mkdir -p "$scratch/zip" "$scratch/old/lib"
ln -s "$torch/lib" "$scratch/zip/lib"
echo 2.11.0 >"$scratch/zip/build-version"
mv "$home/torch" "$scratch/link"
ln -s /nowhere "$home/torch"
run "${export_it[@]}" "$scratch/a.pth"
exits 66; says "there is no LibTorch in /nowhere"; says "set LIBTORCH to"
run env LIBTORCH="$scratch/zip" "${export_it[@]}" "$scratch/a.pth"
exits 0
rm "$home/torch"; mv "$scratch/link" "$home/torch"
run env LIBTORCH="$scratch" "${export_it[@]}" "$scratch/b.pth"
exits 66; says "LIBTORCH=$scratch holds neither torch/lib/libtorch_cpu.so nor lib/libtorch_cpu.so"
touch "$scratch/old/lib/libtorch_cpu.so"
echo 2.10.1 >"$scratch/old/build-version"
run env LIBTORCH="$scratch/old" "${export_it[@]}" "$scratch/b.pth"
exits 66; says "is version 2.10.1, not 2.11"
run env LIBTORCH="$torch" "${export_it[@]}" "$scratch/b.pth"
exits 0

new_case "another user runs it, from a LibTorch at a place of the site"
# shellcheck disable=SC2016
if [ "$(id -u)" -ne 0 ] || ! unshare -m true 2>/dev/null || ! command -v setpriv >/dev/null; then
    skip_case "needs root, unshare -m and setpriv"
else
    mkdir "$scratch/shared" "$scratch/theirs"
    chown 65534 "$scratch/theirs"
    run unshare -m bash -c '
        mount --bind "$1" "$2/shared" && prefix=$2/all && torch=$2/shared/torch || exit 70
        env/install.sh install "$3" "$prefix" "" "$torch" || exit
        cd "$2/theirs" && setpriv --reuid=65534 --regid=65534 --clear-groups env -i PATH=/usr/bin:/bin HOME=/nonexistent \
            "$prefix/bin/blip_mpi" export --from random --model tiny --to mine.safetensors' \
        bash "$(dirname "$torch")" "$scratch" "$build"
    exits 0
    is "$(stat -c %u "$scratch/theirs/mine.safetensors")" 65534 "whose file it is"
fi

new_case "an installed job script finds what lies beside it, from anywhere, and as the copy that a queue runs"
mkdir -p "$scratch/spool" "$scratch/elsewhere"
run env -C "$scratch/elsewhere" DATA=absent.h5 MPIRUN=true bash "$prefix/share/blip_mpi/jobs/single_node.sbatch" --dry-run
exits 66; says "absent.h5"
cp "$home/jobs/multi_node.sbatch" "$scratch/spool"
run env -C "$scratch/elsewhere" SLURM_JOB_ID=1 MPIRUN=echo SLURM_SUBMIT_DIR="$scratch/elsewhere" bash "$scratch/spool/multi_node.sbatch"
exits 0; says "$home/bin/blip_mpi train --config $home/jobs/caption_coco.cfg"
new_case "so does one of the sources"
run env -C "$scratch/elsewhere" DATA=absent.h5 MPIRUN=true bash "$root/jobs/single_node.sbatch" --dry-run
exits 66; says "absent.h5"

# Every option that a verb's own help lists.
options_of() { "$prefix/bin/$1" ${2:+"$2"} --help"${2:+-all}" | sed -nE 's/^  --([a-z0-9-]+).*/\1/p' | sort -u; }
# What bash offers for the words given.
offered() {
    # shellcheck disable=SC2016
    bash -c '. "$1"; COMP_WORDS=("${@:3}"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); compopt() { :; }
        "_$2"; printf "%s\n" "${COMPREPLY[@]}"' bash "$prefix/share/bash-completion/completions/$1" "$1" "${@:2}"
}
verbs=$("$prefix/bin/blip_mpi" help | sed -nE 's/^  ([a-z]+) +[a-z].*/\1/p' | grep -v blip_mpi)
new_case "man pages and the completions of bash and zsh have every option of every verb"
[ "$(wc -l <<<"$verbs")" -ge 10 ] || fail "verbs: $verbs"
is "$(offered blip_mpi blip_mpi "" | grep -v '^help$' | sort)" "$(sort <<<"$verbs")" "verbs that bash offers"
man=$(sed 's/\\-/-/g' "$prefix/share/man/man1/blip_mpi.1")
for verb in $verbs; do
    program=blip_mpi word=$verb
    [ "$verb" != pack ] || program=coco_pack word=''
    options=$(options_of $program $word)
    [ -n "$options" ] || fail "$verb has no options"
    is "$(offered blip_mpi blip_mpi "$verb" -- | sed 's/^--//' | sort -u | comm -13 - <(echo "$options"))" "" "options of $verb that bash does not offer"
    of_man=$(sed -n "/^\.SH ${verb^^}\$/,/^\.SH/p" <<<"$man" | sed -nE 's/^\.B --([a-z0-9-]+).*/\1/p' | sort -u)
    is "$(comm -13 <(echo "$of_man") <(echo "$options"))" "" "options of $verb that the man page lacks"
    of_zsh=$(sed -n "/^        $verb)\$/,/;;\$/p" "$prefix/share/zsh/site-functions/_blip_mpi" | sed -nE "s/^ +'--([a-z0-9-]+)[=[].*/\1/p" | sort -u)
    is "$(comm -13 <(echo "$of_zsh") <(echo "$options"))" "" "options of $verb that zsh does not offer"
done
is "$(offered coco_pack coco_pack --enc)" --encoding "what bash completes"
is "$(offered blip_mpi blip_mpi train --device "" | tr '\n' ' ')" "auto cpu cuda " "values that bash offers"
is "$(offered blip_mpi blip_mpi train --device = cu)" "cuda" "values behind ="
is "$(offered blip_mpi blip_mpi --patie)" "--patience" "options without a verb"
if command -v man >/dev/null; then
    for name in blip_mpi coco_pack; do
        is "$(man --warnings -l -Tutf8 "$prefix/share/man/man1/$name.1" 2>&1 >"$output")" "" "what man says of $name.1"
    done
fi
[ ! -x "$(command -v zsh)" ] || for name in blip_mpi coco_pack; do
    run zsh -n "$prefix/share/zsh/site-functions/_$name"
    exits 0
done
new_case "the modulefile leads to what is there"
module=$prefix/share/modulefiles/blip_mpi/$version
is "$(head -c 10 "$module")" '#%Module1.' "how it begins"
while read -r _ _ place; do [ -d "$place" ] || fail "no $place"; done < <(grep ^prepend-path "$module")

new_case "versions side by side: the last one installed is everybody's; when it goes, the one before is"
cp -a "$home" "$prefix/lib/blip_mpi/0.0.9"
uninstall() { run env/install.sh uninstall "$1" "$prefix" ''; }
uninstall 9.9.9
exits 66; says "0.0.9"
uninstall "$version"
exits 0; says "is 0.0.9 now"
[ ! -e "$home" ] || fail "$home is still there"
is "$(readlink "$prefix/bin/blip_mpi")" ../lib/blip_mpi/0.0.9/bin/blip_mpi "the link"
run "$prefix/bin/blip_mpi" --version; exits 0
new_case "uninstalling the last leaves the tree as it was"
uninstall 0.0.9
exits 0
tree "$scratch/opt" | diff "$scratch/before" - >"$output" || fail "it differs"
new_case "DESTDIR goes before every path that is written, and into none"
run env HOME=/usr/us env/install.sh install "$build" /usr/us "$scratch/stage" "$torch"
exits 0
[ ! -e /usr/us ] || fail "it wrote to /usr/us"
is "$(readlink "$scratch/stage/usr/us/bin/blip_mpi")" "../lib/blip_mpi/$version/bin/blip_mpi" "the link"
grep -rlF "$scratch/stage" "$scratch/stage" >"$output" && fail "files name DESTDIR"
run env/install.sh uninstall "$version" /usr/us "$scratch/stage"
exits 0
[ ! -e "$scratch/stage" ] || fail "left: $(find "$scratch/stage")"
summary
