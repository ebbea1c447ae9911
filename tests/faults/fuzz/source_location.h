// std::source_location for clang 14 and 15, whose built-in functions libstdc++'s does not know. Included on the command
// line of the fuzzers alone.
#pragma once

#include <source_location>

#ifndef __cpp_lib_source_location
namespace std {

struct source_location {
    static constexpr source_location current(const char* file = __builtin_FILE(), unsigned line = __builtin_LINE()) {
        source_location here;
        here.file_ = file;
        here.line_ = line;
        return here;
    }
    constexpr const char* file_name() const { return file_; }
    constexpr unsigned line() const { return line_; }

  private:
    const char* file_ = "";
    unsigned line_ = 0;
};

}    // namespace std
#endif
