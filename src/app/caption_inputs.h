// Which pictures the caption verb is asked for: words of the command line, what lies in folders, a list on standard
// input.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace blip {

struct ListedPicture {
    std::filesystem::path file;
    std::filesystem::path name;    // below the folder that was given; else the file's own
};

// The files to caption, in order. A folder stands for all files below it that are pictures by their content or their
// name, so that none is missed, sorted by path; names that begin with a dot and links to folders are left out, other
// files are named in a log line. "-" stands for the words on standard input, one a line, read to its end before
// anything is captioned; empty lines are skipped. A word that does not exist stays in the list: it is told of when it
// is read. Errors: missing_input if none of the words exists or no picture is left; io. stop_requested: asked while
// standard input is waited for; an empty list comes back then.
std::vector<ListedPicture> list_pictures(const std::vector<std::filesystem::path>& words,
                                         const std::function<bool()>& stop_requested);
// Whether nothing is there; not so of what cannot be looked at, which is told when it is read.
bool is_missing(const std::filesystem::path& word);
// "no such picture: FILE", and what may be the matter with such a word.
std::string describe_missing(const std::filesystem::path& word);

}    // namespace blip
