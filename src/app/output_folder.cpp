// See output_folder.h.
#include "src/app/output_folder.h"

#include <fmt/format.h>
#include <unistd.h>

#include <system_error>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"

namespace blip {

namespace fs = std::filesystem;

namespace {

void naming_output(const fs::path& output, const auto& work) {
    try {
        work();
    } catch (const Error& failure) {
        throw Error(failure.code(), "--output {}: {}", output.string(), failure.what());
    }
}

}    // namespace

TrialFolder::TrialFolder(const fs::path& output)
    : path_(fs::absolute(output).lexically_normal() / fmt::format(".blip_mpi_trial.{}", ::getpid())) {
    std::error_code ignored;
    for (fs::path one = path_; !fs::exists(one, ignored); one = one.parent_path())
        if (one.has_filename()) first_made_ = one;    // "a/b/" has the folder b, too
    try {
        naming_output(output, [&] { make_folders(path_); });
    } catch (const Error&) {
        remove();
        throw;
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
    naming_output(output, [&] { write_file_durably(folder.path() / "file", "x"); });
}

void make_output(const fs::path& output) {
    naming_output(output, [&] { make_folders(output); });
}

}    // namespace blip
