// The version of the programs and of the forms of their files, and what --version tells of a build.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace blip {

inline constexpr const char* program_version = "0.2.0";
inline constexpr std::int64_t packed_format_version = 3;    // what is written
// 2 had numbers alone for keys and no names of files, 1 no encoding (always raw) and no record of skipped pictures
// either; both are still read
inline constexpr std::int64_t oldest_packed_format_version = 1;
inline constexpr int checkpoint_format_version = 2;
// 1 is of versions before 0.2, whose masks of dropout are others: no run goes on from it, its weights are read

// Lines of a name and a value: the commit, and the compiler and libraries that were found (env/found.sh). Each program
// is linked with it, and no test: it changes with every commit (the Makefile's BUILD_FACTS).
extern const char* const build_facts;

// If the words of a command line ask for it, prints the versions, with --json among the words as one JSON object; under
// a launcher the first rank does. Returns whether they ask. Throws Error(io).
bool print_version(const std::string& program, const std::vector<std::string>& words);

}    // namespace blip
