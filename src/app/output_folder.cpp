// See output_folder.h.
#include "src/app/output_folder.h"

#include <fmt/format.h>
#include <unistd.h>

#include <system_error>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"

namespace blip {

namespace fs = std::filesystem;

TrialFolder::TrialFolder(const fs::path& output)
    : path_(fs::absolute(output).lexically_normal() / fmt::format(".blip_mpi_trial.{}", ::getpid())) {
    std::error_code ignored;
    for (fs::path one = path_; !fs::exists(one, ignored); one = one.parent_path())
        if (one.has_filename()) first_made_ = one;    // "a/b/" has the folder b, too
    try {
        make_folders(path_);
    } catch (const Error& failure) {
        remove();
        throw Error(failure.code(), "--output {}: {}", output.string(), failure.what());
    }
}

TrialFolder::~TrialFolder() { remove(); }

void TrialFolder::remove() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
    // those above it, unless another has put something there
    for (fs::path one = path_; !first_made_.empty() && one != first_made_;) {
        one = one.parent_path();
        if (one.has_filename() && fs::exists(one, ignored) && !fs::remove(one, ignored)) return;
    }
}

void try_output(const fs::path& output) {
    const TrialFolder folder(output);
    try {
        write_file_durably(folder.path() / "file", "x");
    } catch (const Error& failure) {
        throw Error(failure.code(), "--output {}: {}", output.string(), failure.what());
    }
}

}    // namespace blip
