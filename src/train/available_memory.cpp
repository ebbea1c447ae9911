// How much memory is left on this host; see memory.h.
#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>

#include "blip/train/memory.h"

namespace blip {
namespace {

// The number in a file of one, or none ("max").
bool read_count(const std::string& file, std::uint64_t& count) {
    return static_cast<bool>(std::ifstream(file) >> count);
}

// What a control group (version 2) and those above it leave: limit less use, pages of files counted as free.
std::uint64_t left_in_group() {
    std::uint64_t left = std::numeric_limits<std::uint64_t>::max();
    std::ifstream groups("/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {
        if (!line.starts_with("0::")) continue;
        for (std::string path = line.substr(3);; path.resize(path.rfind('/'))) {
            const std::string folder = "/sys/fs/cgroup" + path;
            std::uint64_t limit = 0, used = 0;
            if (read_count(folder + "/memory.max", limit) && read_count(folder + "/memory.current", used)) {
                std::ifstream statistics(folder + "/memory.stat");
                std::string name;
                for (std::uint64_t value = 0; statistics >> name >> value;)
                    if (name == "inactive_file") used -= std::min(used, value);
                left = std::min(left, limit - std::min(limit, used));
            }
            if (path.empty() || path.rfind('/') == std::string::npos) break;
        }
    }
    return left;
}

}    // namespace

std::uint64_t available_host_bytes() {
    std::ifstream memory("/proc/meminfo");
    for (std::string line; std::getline(memory, line);) {
        std::istringstream words(line);
        std::string name;
        std::uint64_t kib = 0;
        if (words >> name >> kib && name == "MemAvailable:") return std::min(kib * 1024, left_in_group());
    }
    return 0;
}

}    // namespace blip
