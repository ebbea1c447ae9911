// Which pictures the caption verb is asked for: words of the command line, what lies in folders, a list on standard
// input.
#pragma once

#include <filesystem>
#include <functional>
#include <vector>

namespace blip {

// The files to caption, in order. A folder stands for all files below it that are pictures by their content or their
// name, so that none is missed, sorted by path; names that begin with a dot and links to folders are left out, other
// files are counted in a log line. "-" stands for the words on standard input, one a line, read to its end before
// anything is captioned; empty lines are skipped. Errors: missing_input naming all words that do not exist, or if no
// picture is left; io. stop_requested: asked while standard input is waited for; an empty list comes back then.
std::vector<std::filesystem::path> list_pictures(const std::vector<std::filesystem::path>& words,
                                                 const std::function<bool()>& stop_requested);

}    // namespace blip
