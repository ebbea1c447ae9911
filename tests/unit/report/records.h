// The lines of a file of one JSON object a line.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "tests/support/paths.h"

namespace blip::test {

inline std::vector<nlohmann::json> records(const std::filesystem::path& file) {
    std::vector<nlohmann::json> all;
    std::istringstream lines(read_bytes(file));
    for (std::string line; std::getline(lines, line);) all.push_back(nlohmann::json::parse(line));
    return all;
}

}    // namespace blip::test
