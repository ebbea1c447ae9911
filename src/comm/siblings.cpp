// See siblings.h.
#include "src/comm/siblings.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>
#include <system_error>

#include "blip/base/process.h"

namespace blip {
namespace {

std::string read_all(const std::filesystem::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

// Its launcher's word for its rank, from the start of its life; empty where it has none.
std::string rank_of(const std::filesystem::path& process) {
    const std::string environment = '\0' + read_all(process / "environ");
    for (const std::string_view name : {"OMPI_COMM_WORLD_RANK=", "PMIX_RANK=", "PMI_RANK=", "SLURM_PROCID="}) {
        const auto at = environment.find('\0' + std::string(name));
        if (at != std::string::npos) return environment.c_str() + at + 1 + name.size();
    }
    return "";
}

}    // namespace

std::string absent_siblings() {
    std::string stopped;
    std::error_code problem;
    for (const auto& process : std::filesystem::directory_iterator("/proc", problem)) {
        const std::string pid = process.path().filename().string();
        if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
        const auto stat = process_stat(std::stoll(pid));
        if (!stat || stat->state != 'T' || stat->parent != ::getppid()) continue;
        const std::string rank = rank_of(process.path());
        if (rank.empty()) continue;
        stopped += fmt::format("{}rank {} (pid {})", stopped.empty() ? "; stopped: " : ", ", rank, pid);
    }
    return stopped;
}

}    // namespace blip
