// Settings of a search as golden files note them.
#pragma once

#include <nlohmann/json.hpp>

#include "blip/options/options.h"

namespace blip::test {

inline GenerateOptions search_settings(const nlohmann::json& settings) {
    GenerateOptions options;
    options.num_beams = settings.at("num_beams");
    options.max_length = settings.at("max_length");
    options.min_length = settings.at("min_length");
    options.length_penalty = settings.value("length_penalty", 1.0);
    options.repetition_penalty = settings.value("repetition_penalty", 1.0);
    return options;
}

}    // namespace blip::test
