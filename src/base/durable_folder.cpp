// See durable_folder.h.
#include "blip/base/durable_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"

namespace blip {
namespace fs = std::filesystem;

DurableFolder::DurableFolder(fs::path path)
    : path_(std::move(path)), temporary_(path_.string() + ".tmp." + std::to_string(::getpid())) {
    if (::mkdir(temporary_.c_str(), 0777) != 0) throw_io("create the folder", temporary_, errno);
}

DurableFolder::~DurableFolder() {
    std::error_code ignored;
    if (!committed_) fs::remove_all(temporary_, ignored);
}

void DurableFolder::commit() {
    const fs::path parent = path_.has_parent_path() ? path_.parent_path() : fs::path(".");
    sync_directory(temporary_);
    // Replaces nothing, or an empty folder.
    if (::rename(temporary_.c_str(), path_.c_str()) == 0) {
        committed_ = true;
        sync_directory(parent);
        return;
    }
    if (errno != ENOTEMPTY && errno != EEXIST) throw_io("rename to its final name", path_, errno);
    if (::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, path_.c_str(), RENAME_EXCHANGE) != 0) {
        if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP) throw_io("rename to its final name", path_, errno);
        const fs::path old = path_.string() + ".old." + std::to_string(::getpid());
        if (::rename(path_.c_str(), old.c_str()) != 0) throw_io("rename", path_, errno);
        if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
            const int error = errno;
            ::rename(old.c_str(), path_.c_str());
            throw_io("rename to its final name", path_, error);
        }
        temporary_ = old;
    }
    committed_ = true;
    sync_directory(parent);
    std::error_code problem;    // now the old one
    fs::remove_all(temporary_, problem);
    if (problem)
        throw Error(ExitCode::io, "{} is complete; the one it replaced is left at {}: {}", path_.string(),
                    temporary_.string(), problem.message());
}

std::string first_foreign_entry(const fs::path& folder, const std::set<std::string>& own_names) {
    std::error_code problem;
    fs::directory_iterator entries(folder, problem);
    for (; !problem && entries != fs::directory_iterator(); entries.increment(problem)) {
        const std::string name = entries->path().filename().string();
        if (!own_names.contains(name) || !fs::is_regular_file(entries->symlink_status(problem))) return name;
    }
    if (problem) throw Error(ExitCode::io, "cannot list {}: {}", folder.string(), problem.message());
    return "";
}

}    // namespace blip
