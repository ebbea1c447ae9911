// See model_config.h. Hugging Face's configurations may leave out what equals its classes' defaults: text 8 heads,
// vision 12, epsilons 1e-12 and 1e-5, GELU.
#include "src/weights/huggingface/model_config.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "blip/base/error.h"

namespace blip {
namespace {

using nlohmann::json;

class Reader {
  public:
    Reader(const json& object, std::string origin) : object_(object), origin_(std::move(origin)) {}

    int positive(const char* name, int missing) const {
        const auto found = object_.find(name);
        if (found == object_.end()) return missing;
        const bool fits = found->is_number_unsigned() && found->get<std::uint64_t>() - 1 < (1U << 20);
        if (!fits) fail(name, *found);
        return found->get<int>();
    }
    double number(const char* name, double missing) const {
        const auto found = object_.find(name);
        if (found == object_.end()) return missing;
        if (!found->is_number()) fail(name, *found);
        return found->get<double>();
    }
    std::string text(const char* name, const char* missing) const {
        const auto found = object_.find(name);
        if (found == object_.end()) return missing;
        if (!found->is_string()) fail(name, *found);
        return found->get<std::string>();
    }

  private:
    [[noreturn]] void fail(const char* name, const json& value) const {
        throw Error(ExitCode::bad_data, fmt::format("{}: '{}' is {}", origin_, name, value.dump()));
    }

    const json& object_;
    std::string origin_;
};

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
    const json empty = json::object();
    const auto found = whole.find(half.name);
    if (found != whole.end() && !found->is_object())
        throw Error(ExitCode::bad_data, fmt::format("{}: '{}' is no object", origin, half.name));
    const Reader reader(found == whole.end() ? empty : *found, fmt::format("{}: {}", origin, half.name));
    heads = reader.positive("num_attention_heads", half.heads);
    width = reader.positive("hidden_size", 0);
    if (const std::string act = reader.text("hidden_act", "gelu"); act != "gelu")
        config.warnings.push_back(
            fmt::format("{}: {} asks for the activation '{}'; 'gelu' is what is computed here, so that results differ "
                        "from what these weights were trained with",
                        origin, half.name, act));
    if (const double eps = reader.number("layer_norm_eps", half.eps); eps != half.computed_eps)
        config.notes.push_back(fmt::format("{}: layer_norm_eps of {} is {:g}; computed with the reference's {:g}",
                                           origin, half.name, eps, half.computed_eps));
}

}    // namespace

ModelConfig read_model_config(const std::string& text, const std::string& origin) {
    ModelConfig config;
    if (text.empty()) return config;
    const json whole = json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!whole.is_object())
        throw Error(ExitCode::bad_data, fmt::format("{} is damaged: it holds no JSON object", origin));
    if (const auto ours = whole.find("model"); ours != whole.end() && ours->is_object() && whole.contains("kind")) {
        const Reader reader(*ours, origin);
        config.text_heads = reader.positive("text_heads", 0);
        config.vision_heads = reader.positive("vision_heads", 0);
        config.text_hidden = reader.positive("text_hidden", 0);
        config.vision_width = reader.positive("vision_width", 0);
    } else if (whole.contains("text_config") || whole.contains("vision_config")) {
        read_half(whole, kText, origin, config.text_heads, config.text_hidden, config);
        read_half(whole, kVision, origin, config.vision_heads, config.vision_width, config);
    } else {
        config.warnings.push_back(fmt::format("{} is no configuration of a BLIP captioner: left aside", origin));
    }
    return config;
}

}    // namespace blip
