// See model_config.h. Hugging Face's configurations may leave out what equals its classes' defaults: text 8 heads,
// vision 12, epsilons 1e-12 and 1e-5, GELU.
#include "src/weights/huggingface/model_config.h"

#include <fmt/format.h>

#include "blip/base/json.h"

namespace blip {
namespace {

using nlohmann::json;

// 0 if it is not said
int positive(const json& object, const char* name, const std::string& origin) {
    return object.contains(name) ? static_cast<int>(integer_field(object, name, origin, 1, 1 << 20)) : 0;
}

// One half of Hugging Face's configuration.
struct Half {
    const char* name;
    int heads;              // its class's default
    double eps;             // likewise
    double computed_eps;    // the reference's, used here
};
constexpr Half kText = {"text_config", 8, 1e-12, 1e-12}, kVision = {"vision_config", 12, 1e-5, 1e-6};

void read_half(const json& whole, const Half& half, const std::string& origin, int& heads, int& width,
               ModelConfig& config) {
    json said = {{"num_attention_heads", half.heads}, {"hidden_act", "gelu"}, {"layer_norm_eps", half.eps}};
    if (const auto found = whole.find(half.name); found != whole.end()) {
        if (!found->is_object()) throw_field(origin, half.name, "is no object");
        said.update(*found);
    }
    const std::string place = fmt::format("{}: {}", origin, half.name);
    heads = positive(said, "num_attention_heads", place);
    width = positive(said, "hidden_size", place);
    if (const std::string act = text_field(said, "hidden_act", place); act != "gelu")
        config.warnings.push_back(
            fmt::format("{}: {} asks for the activation '{}'; 'gelu' is what is computed here, so that results differ "
                        "from what these weights were trained with",
                        origin, half.name, act));
    if (const double eps = number_field(said, "layer_norm_eps", place); eps != half.computed_eps)
        config.notes.push_back(fmt::format("{}: layer_norm_eps of {} is {:g}; computed with the reference's {:g}",
                                           origin, half.name, eps, half.computed_eps));
}

}    // namespace

ModelConfig read_model_config(const std::string& text, const std::string& origin) {
    ModelConfig config;
    if (text.empty()) return config;
    const json whole = parse_object(text, origin);
    if (const auto ours = whole.find("model"); ours != whole.end() && ours->is_object() && whole.contains("kind")) {
        config.text_heads = positive(*ours, "text_heads", origin);
        config.vision_heads = positive(*ours, "vision_heads", origin);
        config.text_hidden = positive(*ours, "text_hidden", origin);
        config.vision_width = positive(*ours, "vision_width", origin);
    } else if (whole.contains("text_config") || whole.contains("vision_config")) {
        read_half(whole, kText, origin, config.text_heads, config.text_hidden, config);
        read_half(whole, kVision, origin, config.vision_heads, config.vision_width, config);
    } else {
        config.warnings.push_back(fmt::format("{} is no configuration of a BLIP captioner: left aside", origin));
    }
    return config;
}

}    // namespace blip
