// See version.h.
#include "blip/base/version.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <sstream>

#include "blip/base/error.h"
#include "blip/base/standard_output.h"

namespace blip {

bool print_version(const std::string& program, const std::vector<std::string>& words) {
    const auto has = [&](const char* word) { return std::find(words.begin(), words.end(), word) != words.end(); };
    if (!has("--version")) return false;
    if (launcher_rank() != 0) return true;
    nlohmann::ordered_json facts = {{"program", program}, {"version", program_version}};
    std::string text = fmt::format("{} {}\n{}", program, program_version, build_facts);
    std::istringstream lines(build_facts);
    for (std::string name, value; lines >> name && std::getline(lines >> std::ws, value);) {
        std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
        facts[name] = value;
    }
    facts["formats"] = {{"packed", packed_format_version},
                        {"packed_oldest", oldest_packed_format_version},
                        {"checkpoint", checkpoint_format_version}};
    text += fmt::format("formats: packed {} (reads {} to {}), checkpoint {}\n", packed_format_version,
                        oldest_packed_format_version, packed_format_version, checkpoint_format_version);
    write_standard_output(has("--json") ? facts.dump(1) + "\n" : text, "the version");
    return true;
}

}    // namespace blip
