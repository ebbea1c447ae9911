// See output_folder.h.
#include "src/app/output_folder.h"

#include <system_error>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"

namespace blip {

namespace fs = std::filesystem;

void try_output(const fs::path& output) {
    std::error_code ignored;
    // the topmost of the folders that are not there yet
    fs::path first_made;
    for (fs::path one = fs::absolute(output).lexically_normal(); !fs::exists(one, ignored); one = one.parent_path()) {
        if (!one.has_filename()) continue;    // "a/b/": the folder is b
        first_made = one;
    }
    const auto remove_made = [&] {
        for (fs::path one = fs::absolute(output).lexically_normal(); !first_made.empty(); one = one.parent_path()) {
            if (fs::is_directory(one, ignored)) fs::remove(one, ignored);
            if (one == first_made) break;
        }
    };
    try {
        make_folders(output);
        DurableFile(output / ".try").write("x");
    } catch (const Error& failure) {
        remove_made();
        throw Error(failure.code(), "--output {}: {}", output.string(), failure.what());
    }
    remove_made();
}

}    // namespace blip
