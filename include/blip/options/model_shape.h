// The dimensions of the model, each in one row: options, presets, JSON, a run's identity and help walk this table.
// Another dimension is a member of ModelOptions and a row here; what it shapes is src/README.md's list.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "blip/options/options.h"

namespace blip {

struct Dimension {
    const char* option;    // without the dashes; with _ for -, its key in JSON
    int ModelOptions::*member;
    int large, tiny;    // of the presets; that of base is the member's default
    int most;           // largest value that the option accepts, from 1
    const char* unit;
    const char* meaning;

    std::string json_key() const;
};
std::span<const Dimension> model_dimensions();

// Dimensions of a preset; throws usage for an unknown name.
ModelOptions model_preset(const std::string& name);
// The preset with these dimensions, resolution aside; nullopt if they are of no preset.
std::optional<std::string> preset_of(ModelOptions model);
// Stochastic depth that the published recipe of a preset trains with: 0.1 for large, else 0.
double preset_drop_path(const std::string& name);

}    // namespace blip
