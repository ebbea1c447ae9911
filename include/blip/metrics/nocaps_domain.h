// The domains of NoCaps' images. Called by metrics/caption_files and eval/scoring.
#pragma once

#include <string_view>

namespace blip {

// Whether it is "in-domain", "near-domain" or "out-domain".
bool is_nocaps_domain(std::string_view name);

}    // namespace blip
