// See the header.
#include "blip/base/file_type.h"

#include <system_error>

#include "blip/base/error.h"

namespace blip {

namespace fs = std::filesystem;

fs::file_type file_type_of(const fs::path& path) {
    std::error_code error;
    const fs::file_type type = fs::status(path, error).type();
    if (error == std::errc::filename_too_long) return fs::file_type::not_found;
    if (type == fs::file_type::none)
        throw Error(ExitCode::io, "cannot tell whether {} is there: {}", path.string(), error.message());
    return type;
}

}    // namespace blip
