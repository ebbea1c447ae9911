// See the header.
#include "blip/options/model_shape.h"

#include <algorithm>

#include "blip/base/error.h"

namespace blip {
namespace {

constexpr Dimension kDimensions[] = {
    {"text-hidden", &ModelOptions::text_hidden, 768, 128, 65536, "N", "width of the decoder"},
    {"text-heads", &ModelOptions::text_heads, 12, 4, 1024, "N",
     "attention heads of the decoder; must divide text-hidden"},
    {"text-intermediate", &ModelOptions::text_intermediate, 3072, 512, 65536, "N",
     "width of the decoder's feed-forward part"},
    {"text-layers", &ModelOptions::text_layers, 12, 3, 1024, "N", "layers of the decoder"},
    {"text-positions", &ModelOptions::text_positions, 512, 64, 65536, "TOKENS",
     "learned positions of the decoder: the longest text"},
    {"vision-width", &ModelOptions::vision_width, 1024, 128, 65536, "N", "width of the vision encoder"},
    {"vision-depth", &ModelOptions::vision_depth, 24, 3, 1024, "N", "layers of the vision encoder"},
    {"vision-heads", &ModelOptions::vision_heads, 16, 4, 1024, "N",
     "attention heads of the vision encoder; must divide vision-width"},
    {"image-size", &ModelOptions::image_size, 384, 96, 8192, "PIXELS",
     "side of the square that pictures are resized to"},
    {"patch-size", &ModelOptions::patch_size, 16, 16, 8192, "PIXELS", "side of a patch; must divide image-size"},
};

}    // namespace

std::string Dimension::json_key() const {
    std::string key = option;
    std::replace(key.begin(), key.end(), '-', '_');
    return key;
}

std::span<const Dimension> model_dimensions() { return kDimensions; }

ModelOptions model_preset(const std::string& name) {
    ModelOptions model;
    if (name == model.preset) return model;
    if (name != "large" && name != "tiny")
        throw Error(ExitCode::usage, "'{}' is no model preset; there are base, large and tiny", name);
    model.preset = name;
    for (const Dimension& dimension : kDimensions)
        model.*dimension.member = name == "large" ? dimension.large : dimension.tiny;
    return model;
}

std::optional<std::string> preset_of(ModelOptions model) {
    for (const char* name : {"tiny", "large", "base"}) {
        const ModelOptions preset = model_preset(name);
        model.image_size = preset.image_size;
        model.preset = preset.preset;
        if (model == preset) return name;
    }
    return std::nullopt;
}

double preset_drop_path(const std::string& name) { return name == "large" ? 0.1 : 0; }

}    // namespace blip
