#!/usr/bin/env python3
"""Makes man pages and the completions of bash and zsh of what the programs say of themselves. Called by env/install.sh.

    { blip_mpi --describe-options; coco_pack --describe-options; } | pages.py VERSION SHARE_DIR

Writes man/man1/PROGRAM.1, bash-completion/completions/PROGRAM and zsh/site-functions/_PROGRAM below SHARE_DIR. `blip_mpi
pack` is coco_pack, so that its options stand in blip_mpi's pages as those of a verb, too.
"""
import json
import pathlib
import re
import sys


def documents(text):
    decoder, at = json.JSONDecoder(), 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        found, at = decoder.raw_decode(text, at)
        yield found


# ---- what an option's value may be ----
def choices(option):
    """The words that it may be, or none."""
    return option['value'].split('|') if '|' in option['value'] and option['value'] not in paths else []


paths = ('FILE', 'DIR', 'PATH', 'FOLDER', 'PAGE', 'FILE|DIR')


# ---- man ----
def troff(text):
    text = text.replace('\\', '\\e').replace('-', '\\-')
    lines = ['\\&' + line if line[:1] in ".'" else line for line in text.split('\n')]
    # indented lines are commands; what follows them begins a line
    return '\n'.join('.br\n' + line if before.startswith(' ') and not line.startswith(' ') else line
                     for before, line in zip([''] + lines, lines))


def commands(text):
    return '.nf\n' + troff(text) + '\n.fi\n'


def man_options(options):
    text, group = '', ''
    for option in options:
        if option['group'] != group:
            group = option['group']
            text += f'.PP\n.I {troff(group)}\n'
        text += f".TP\n.B {troff('--' + option['name'])}{' ' + troff(option['value']) if option['value'] else ''}\n"
        notes = [note for note in ('default ' + option['default'] if option['default'] else '', option['range']) if note]
        text += troff(option['meaning'] + (f" [{'; '.join(notes)}]" if notes else '')) + '\n'
    return text


def man_page(program, verbs, version):
    summary = {'blip_mpi': 'train BLIP captioners with MPI, caption pictures, score captions',
               'coco_pack': 'pack pictures and captions into one file for blip_mpi'}[program]
    text = f'.TH {program.upper()} 1 "" "blip_mpi {version}" "User Commands"\n.SH NAME\n{program} \\- {troff(summary)}\n'
    text += '.SH SYNOPSIS\n' + commands('\n'.join(verb['usage'] for verb in verbs))
    for verb in verbs:
        text += f".SH {(verb['name'] or 'description').upper()}\n{troff(verb['purpose'])}\n"
        if verb['examples']:
            text += '.PP\nExamples:\n' + commands(verb['examples'])
        text += man_options(verb['options'])
    return text


# ---- bash ----
def bash_completion(program, verbs):
    values, files, plain, options = {}, [], [], []
    for verb in verbs:
        name = verb['name'] or program
        options.append(f"        {name}) options='{' '.join('--' + option['name'] for option in verb['options'])}' ;;")
        for option in verb['options']:
            key = f"'{name} --{option['name']}'"
            if choices(option):
                values.setdefault(' '.join(choices(option)), []).append(key)
            elif option['value'] in paths:
                files.append(key)
            elif option['value']:
                plain.append(key)
    names = ' '.join(verb['name'] for verb in verbs if verb['name'])
    arms = [f"        {'|'.join(keys)}) COMPREPLY=($(compgen -W '{words}' -- \"$cur\")); return ;;" for words, keys in values.items()]
    if files:
        arms.append(f"        {'|'.join(files)}) compopt -o filenames; COMPREPLY=($(compgen -f -- \"$cur\")); return ;;")
    if plain:
        arms.append(f"        {'|'.join(plain)}) return ;;")
    first = f'''    if [ "$COMP_CWORD" -eq 1 ] && [[ $cur != -* ]]; then
        COMPREPLY=($(compgen -W '{names} help' -- "$cur"))
        return
    fi
    if [ "${{COMP_WORDS[1]}}" = help ]; then
        COMPREPLY=($(compgen -W '{names}' -- "$cur"))
        return
    fi
    verb=${{COMP_WORDS[1]}}
    [[ ' {names} ' = *" $verb "* ]] || verb=train
''' if names else ''
    newline = '\n'
    return f'''# bash completion of {program}; made of its table of options
_{program}() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD - 1]}} verb={program} options=''
    # --option=value comes as three words
    if [ "$cur" = = ]; then
        cur=''
    elif [ "$prev" = = ]; then
        prev=${{COMP_WORDS[COMP_CWORD - 2]}}
    fi
{first}    case "$verb $prev" in
{newline.join(arms)}
    esac
    case $verb in
{newline.join(options)}
    esac
    if [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "$options" -- "$cur"))
    else
        compopt -o filenames
        COMPREPLY=($(compgen -f -- "$cur"))
    fi
}}
complete -F _{program} {program}
'''


# ---- zsh ----
def zsh_option(option):
    meaning = re.sub(r'([][:\\])', r'\\\1', option['meaning'])
    spec = f"--{option['name']}{'=' if option['value'] else ''}[{meaning}]"
    if option['value']:
        words = f"({' '.join(choices(option))})" if choices(option) else '_files' if option['value'] in paths else ' '
        spec += ':' + option['value'].replace(':', '\\:') + ':' + words
    return "'" + spec.replace("'", "'\\''") + "'"


def zsh_completion(program, verbs):
    def arguments(verb):
        return ' \\\n            '.join(['_arguments -S', *map(zsh_option, verb['options']), "'*:file:_files'"])
    if not verbs[0]['name']:
        return f'#compdef {program}\n{arguments(verbs[0])}\n'
    described = ' '.join("'" + f"{verb['name']}:{verb['summary']}".replace("'", "'\\''") + "'" for verb in verbs)
    arms = ''.join(f"        {verb['name']})\n            {arguments(verb)} ;;\n" for verb in verbs)
    return f'''#compdef {program}
if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then
    local -a verbs=({described})
    _describe verb verbs
else
    local verb=$words[2]
    # without a verb, options are those of train
    if [[ $verb == -* ]]; then verb=train; else shift words; (( CURRENT -= 1 )); fi
    case $verb in
{arms}    esac
fi
'''


def main():
    version, share = sys.argv[1], pathlib.Path(sys.argv[2])
    programs = {document['program']: document['verbs'] for document in documents(sys.stdin.read())}
    pack = dict(programs['coco_pack'][0], name='pack', summary='pack pictures and captions into one file',
                usage='blip_mpi pack PATH --out FILE [options]', examples='blip_mpi pack coco2014 --out coco.h5')
    programs['blip_mpi'].insert(0, pack)
    for program, verbs in programs.items():
        for place, text in ((f'man/man1/{program}.1', man_page(program, verbs, version)),
                            (f'bash-completion/completions/{program}', bash_completion(program, verbs)),
                            (f'zsh/site-functions/_{program}', zsh_completion(program, verbs))):
            (share / place).write_text(text)


main()
