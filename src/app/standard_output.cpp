// See standard_output.h.
#include "src/app/standard_output.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "blip/base/error.h"

namespace blip {

void write_standard_output(std::string_view text, std::string_view what) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
        throw Error(ExitCode::io, fmt::format("cannot write {} to standard output: {}", what, std::strerror(errno)));
}

}    // namespace blip
