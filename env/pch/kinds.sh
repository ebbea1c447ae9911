#!/bin/sh
# Called by the Makefile at the top of the checkout: which sources include LibTorch's headers or JSON's, themselves or by
# our own headers. Prints "torch:FILE" or "json:FILE" (torch where both), nothing for the others. Each gets the
# precompiled header of its kind and no larger one: what a header only declares costs each file that includes it, even an
# empty one, 1.5 s for JSON and 3 s for LibTorch, as g++ makes the inline functions' templates anew at each file's end.
find src include tests data_prep -name '*.cpp' -o -name '*.h' | LC_ALL=C sort | xargs awk '
    FNR == 1 { files[++count] = FILENAME }
    /^#include/ {
        split($2, part, /[<>"]/)
        includes[FILENAME] = includes[FILENAME] " " part[2]
    }
    function ours(file, name,    folder) {
        folder = file
        sub(/[^\/]*$/, "", folder)
        if (("include/" name) in includes) return "include/" name
        if (name in includes) return name
        if ((folder name) in includes) return folder name
        return ""
    }
    function kind_of(file,    names, n, i, found, own) {
        if (file in kind) return kind[file]
        kind[file] = own = ""
        n = split(includes[file], names, " ")
        for (i = 1; i <= n && own != "torch"; i++) {
            if (names[i] ~ /^(ATen|c10|torch)\//) found = "torch"
            else if (names[i] == "nlohmann/json.hpp") found = "json"
            else if (ours(file, names[i]) != "") found = kind_of(ours(file, names[i]))
            else found = ""
            if (found != "") own = found
        }
        return kind[file] = own
    }
    END {
        for (i = 1; i <= count; i++)
            if (files[i] ~ /cpp$/ && kind_of(files[i]) != "") print kind[files[i]] ":" files[i]
    }'
