// See the header.
#include "blip/base/file_type.h"

#include <system_error>

#include "blip/base/durable_file.h"
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

bool is_hdf5(const fs::path& path) {
    try {
        return first_bytes(path, 8) == "\x89HDF\r\n\x1a\n";
    } catch (const Error&) {
        return false;
    }
}

}    // namespace blip
