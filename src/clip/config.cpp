// See config.h.
#include "src/clip/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/json.h"

namespace blip {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json text_defaults() {
    return {{"vocab_size", 49408},        {"hidden_size", 512},       {"intermediate_size", 2048},
            {"num_hidden_layers", 12},    {"num_attention_heads", 8}, {"max_position_embeddings", 77},
            {"hidden_act", "quick_gelu"}, {"layer_norm_eps", 1e-5},   {"eos_token_id", 49407}};
}
json vision_defaults() {
    return {{"hidden_size", 768},        {"intermediate_size", 3072},  {"num_hidden_layers", 12},
            {"num_attention_heads", 12}, {"num_channels", 3},          {"image_size", 224},
            {"patch_size", 32},          {"hidden_act", "quick_gelu"}, {"layer_norm_eps", 1e-5}};
}

// half: defaults, which what the file says of this half of the model replaces. Old files have a second object,
// "text_config_dict", which goes before the first.
json half_of(const json& whole, const std::string& name, json half, const std::string& origin) {
    for (const std::string& place : {name + "_dict", name}) {
        const auto found = whole.find(place);
        if (found == whole.end() || found->is_null()) continue;
        if (!found->is_object()) throw_field(origin, place, "is no object");
        half.update(*found);
        break;
    }
    return half;
}

std::int64_t extent(const json& object, const char* name, const std::string& origin) {
    return integer_field(object, name, origin, 1, 1 << 20);
}

ClipTransformer transformer_of(const json& half, const std::string& origin) {
    constexpr std::int64_t deepest = 1000;
    ClipTransformer shape;
    shape.width = extent(half, "hidden_size", origin);
    shape.inner_width = extent(half, "intermediate_size", origin);
    shape.depth = static_cast<int>(integer_field(half, "num_hidden_layers", origin, 1, deepest));
    shape.heads = extent(half, "num_attention_heads", origin);
    if (shape.width % shape.heads != 0)
        throw_field(origin, "num_attention_heads", fmt::format("does not divide hidden_size, {}", shape.width));
    const std::string activation = text_field(half, "hidden_act", origin);
    shape.quick_gelu = activation == "quick_gelu";
    if (!shape.quick_gelu && activation != "gelu")
        throw_field(origin, "hidden_act",
                    fmt::format("is '{}'; quick_gelu and gelu are what can be computed here", activation));
    shape.norm_eps = number_field(half, "layer_norm_eps", origin);
    return shape;
}

// A side in pixels: a number, or an object that has it under each of these names.
std::int64_t side_of(const json& object, const char* name, std::initializer_list<const char*> names,
                     const std::string& origin) {
    constexpr std::int64_t longest = 4096;
    if (!field(object, name, origin).is_object()) return integer_field(object, name, origin, 1, longest);
    const json& sides = object[name];
    std::int64_t side = 0;
    for (const char* one : names) {
        const std::int64_t found = integer_field(sides, one, fmt::format("{}: {}", origin, name), 1, longest);
        if (side != 0 && found != side) throw_field(origin, name, "is no square");
        side = found;
    }
    return side;
}

std::array<float, 3> by_channel(const json& object, const char* name, const std::string& origin) {
    const json& list = field(object, name, origin);
    if (!list.is_array() || list.size() != 3 ||
        !std::all_of(list.begin(), list.end(), [](const json& value) { return value.is_number(); }))
        throw_field(origin, name, "is no list of three numbers");
    return list.get<std::array<float, 3>>();
}

// What is always done to pictures here.
void check_steps(const json& asked, const std::string& origin) {
    for (const char* step : {"do_convert_rgb", "do_resize", "do_center_crop", "do_rescale", "do_normalize"})
        if (asked[step] != json(true))
            throw_field(origin, step, fmt::format("is {}; only true can be done here", asked[step].dump()));
    constexpr int bicubic = 3;    // as Pillow counts
    if (asked["resample"] != json(bicubic))
        throw_field(origin, "resample",
                    fmt::format("is {}; only {}, bicubic, can be done here", asked["resample"].dump(), bicubic));
    if (std::abs(number_field(asked, "rescale_factor", origin) * 255 - 1) > 1e-6)
        throw_field(origin, "rescale_factor",
                    fmt::format("is {}; only 1/255 can be done here", asked["rescale_factor"].dump()));
}

}    // namespace

ClipConfig read_clip_config(const fs::path& folder) {
    const fs::path file = folder / "config.json";
    const std::string origin = file.string();
    const json whole = parse_object(read_file(file), origin);
    if (const auto type = whole.find("model_type"); type != whole.end() && *type != json("clip"))
        throw_field(origin, "model_type", fmt::format("is {}; --clip needs a CLIP model, \"clip\"", type->dump()));
    if (!whole.contains("text_config") && !whole.contains("vision_config") && !whole.contains("projection_dim"))
        throw Error(ExitCode::bad_data,
                    "{} is no configuration of a CLIP model: it has neither text_config nor vision_config", origin);
    const std::string of_text = origin + ": text_config", of_vision = origin + ": vision_config";
    const json text = half_of(whole, "text_config", text_defaults(), origin);
    const json vision = half_of(whole, "vision_config", vision_defaults(), origin);
    ClipConfig config;
    config.text = transformer_of(text, of_text);
    config.words = extent(text, "vocab_size", of_text);
    config.positions = integer_field(text, "max_position_embeddings", of_text, 3, 1 << 20);
    config.end_token = integer_field(text, "eos_token_id", of_text, 0, 1 << 20);
    config.vision = transformer_of(vision, of_vision);
    if (integer_field(vision, "num_channels", of_vision, 1, 1 << 20) != 3)
        throw_field(of_vision, "num_channels", "is not 3: pictures are RGB");
    config.image_size = static_cast<int>(integer_field(vision, "image_size", of_vision, 1, 4096));
    config.patch_size = static_cast<int>(integer_field(vision, "patch_size", of_vision, 1, config.image_size));
    if (config.image_size % config.patch_size != 0)
        throw_field(of_vision, "patch_size", fmt::format("does not divide image_size, {}", config.image_size));
    constexpr std::int64_t usual = 512;
    config.vector_size = whole.contains("projection_dim") ? extent(whole, "projection_dim", origin) : usual;
    return config;
}

ClipPictures read_clip_pictures(const fs::path& folder, int image_size) {
    json asked = {{"do_convert_rgb", true},
                  {"do_resize", true},
                  {"do_center_crop", true},
                  {"do_rescale", true},
                  {"do_normalize", true},
                  {"resample", 3},
                  {"rescale_factor", 1 / 255.0},
                  {"size", image_size},
                  {"crop_size", image_size},
                  {"image_mean", {0.48145466, 0.4578275, 0.40821073}},
                  {"image_std", {0.26862954, 0.26130258, 0.27577711}}};
    const fs::path file = folder / "preprocessor_config.json";
    const std::string origin = file.string();
    if (std::error_code absent; fs::exists(file, absent) || absent) asked.update(parse_object(read_file(file), origin));
    check_steps(asked, origin);
    ClipPictures pictures;
    pictures.shorter = static_cast<int>(side_of(asked, "size", {"shortest_edge"}, origin));
    pictures.crop = static_cast<int>(side_of(asked, "crop_size", {"height", "width"}, origin));
    if (pictures.crop != image_size)
        throw_field(origin, "crop_size",
                    fmt::format("is {}, and the model of config.json takes {} pixels", pictures.crop, image_size));
    if (pictures.shorter < pictures.crop)
        throw_field(origin, "size", fmt::format("is {}, less than crop_size, {}", pictures.shorter, pictures.crop));
    pictures.mean = by_channel(asked, "image_mean", origin);
    pictures.deviation = by_channel(asked, "image_std", origin);
    for (const float value : pictures.deviation)
        if (!(value > 0)) throw_field(origin, "image_std", "has a value that is not above 0");
    return pictures;
}

}    // namespace blip
