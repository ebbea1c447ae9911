// See the header.
#include "blip/base/standard_output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "blip/base/error.h"

namespace blip {

void flush_standard_output(std::string_view what) {
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
        throw Error(ExitCode::io, "cannot write {} to standard output: {}", what, std::strerror(errno));
}

void write_standard_output(std::string_view text, std::string_view what) {
    std::fwrite(text.data(), 1, text.size(), stdout);    // a failure leaves its mark on the stream
    flush_standard_output(what);
}

}    // namespace blip
