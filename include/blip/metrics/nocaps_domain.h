// The domains of NoCaps' images. Called by metrics/caption_files and eval/scoring.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace blip {

struct JsonFile;

// "in-domain", "near-domain" or "out-domain" of a row of NoCaps' list of images (where: "images[3]"); empty if it has
// no "domain". Throws bad_data for any other.
std::string nocaps_domain(const JsonFile& file, const nlohmann::json& image, const std::string& where);

}    // namespace blip
