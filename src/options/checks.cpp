// Model presets and the rules that tie options together; used by parse.cpp, and by the app once a checkpoint gave the
// shape.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <string_view>

#include "blip/base/error.h"
#include "blip/options/parse.h"
#include "src/options/option_table.h"

namespace blip {
namespace {

using Found = std::optional<Inconsistency>;

Found check_divides(const char* part_name, int part, const char* whole_name, int whole) {
    if (whole % part == 0) return std::nullopt;
    int fitting = std::min(part, whole);
    while (whole % fitting != 0) --fitting;
    return Inconsistency{
        fmt::format("--{} {} does not divide --{} {}; {} would", part_name, part, whole_name, whole, fitting),
        {part_name, whole_name}};
}

Found check_lengths(const GenerateOptions& generate, int text_positions) {
    if (generate.min_length > generate.max_length)
        return Inconsistency{
            fmt::format("--min-length {} is more than --max-length {}", generate.min_length, generate.max_length),
            {"min-length", "max-length"}};
    if (generate.max_length > text_positions)
        return Inconsistency{fmt::format("--max-length {} is more than the {} positions of the model",
                                         generate.max_length, text_positions),
                             {"max-length", "model"}};
    // each word of the prompt is one token or more, [DEC] comes before it, and a word must fit behind it
    std::istringstream words(generate.prompt);
    int fewest_tokens = 1;
    for (std::string word; words >> word;) ++fewest_tokens;
    if (generate.max_length <= fewest_tokens)
        return Inconsistency{
            fmt::format("--max-length {} leaves no room behind the --prompt '{}', which takes {} tokens "
                        "or more",
                        generate.max_length, generate.prompt, fewest_tokens),
            {"max-length", "prompt"}};
    return std::nullopt;
}

Found check_recomputation(const TrainOptions& train, int vision_depth) {
    if (!train.vit_grad_ckpt) return std::nullopt;
    if (train.vit_ckpt_layer == 0)
        return Inconsistency{
            fmt::format("--vit-grad-ckpt recomputes nothing with --vit-ckpt-layer 0; give it the number "
                        "of vision blocks to recompute, counted from the last: {} are all",
                        vision_depth),
            {"vit-grad-ckpt", "vit-ckpt-layer"}};
    if (train.vit_ckpt_layer > vision_depth)
        return Inconsistency{fmt::format("--vit-ckpt-layer {} is more than the {} blocks of the vision encoder",
                                         train.vit_ckpt_layer, vision_depth),
                             {"vit-ckpt-layer", "model", "vision-depth"}};
    return std::nullopt;
}

Found check_sampling(const GenerateOptions& generate, const std::set<std::string>& flags) {
    if (!generate.sample && generate.num_captions > generate.num_beams)
        return Inconsistency{
            fmt::format("--num-captions {} is more than --num-beams {}: a search finds as many captions "
                        "as it has beams; give more beams, or --sample to draw them",
                        generate.num_captions, generate.num_beams),
            {"num-captions", "num-beams"}};
    const std::vector<std::string> without_effect = generate.sample
                                                        ? std::vector<std::string>{"num-beams", "length-penalty"}
                                                        : std::vector<std::string>{"top-k", "top-p"};
    for (const std::string& name : without_effect) {
        if (!flags.contains(name)) continue;
        return Inconsistency{generate.sample ? fmt::format("--{} has no effect with --sample: drawing does not search; "
                                                           "leave out one of them",
                                                           name)
                                             : fmt::format("--{} has no effect without --sample", name),
                             {name, "sample"}};
    }
    return std::nullopt;
}

Found check_training(const Options& options) {
    if (options.verb != Verb::train) return std::nullopt;
    if (const Found found = check_recomputation(options.train, options.model.vision_depth)) return found;
    const OptimOptions& optim = options.optim;
    if (optim.min_lr > optim.init_lr)
        return Inconsistency{fmt::format("--min-lr {} is more than --init-lr {}", optim.min_lr, optim.init_lr),
                             {"min-lr", "init-lr"}};
    return check_divides("micro-batch", options.train.micro_batch, "global-batch", options.train.global_batch);
}

}    // namespace

ModelOptions model_preset(const std::string& name) {
    ModelOptions model;
    if (name == "base") return model;
    if (name == "large") {
        model.preset = name;
        model.vision_width = 1024;
        model.vision_depth = 24;
        model.vision_heads = 16;
        return model;
    }
    if (name != "tiny")
        throw Error(ExitCode::usage, fmt::format("'{}' is no model preset; there are base, large and tiny", name));
    model.preset = name;
    model.text_hidden = 128;
    model.text_heads = 4;
    model.text_intermediate = 512;
    model.text_layers = 3;
    model.text_positions = 64;
    model.vision_width = 128;
    model.vision_depth = 3;
    model.vision_heads = 4;
    model.image_size = 96;
    model.patch_size = 16;
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

std::optional<std::string> prompt_problem(std::string_view prompt) {
    if (std::any_of(prompt.begin(), prompt.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }))
        return "must be one line of text";
    if (!prompt.empty() && prompt.back() != ' ') return fmt::format("'{}' must end with a space", prompt);
    return std::nullopt;
}

std::optional<Inconsistency> find_inconsistency(const Options& options, const std::set<std::string>& flags) {
    const ModelOptions& model = options.model;
    Found found = check_divides("text-heads", model.text_heads, "text-hidden", model.text_hidden);
    if (!found) found = check_divides("vision-heads", model.vision_heads, "vision-width", model.vision_width);
    if (!found) found = check_divides("patch-size", model.patch_size, "image-size", model.image_size);
    if (!found) found = check_lengths(options.generate, model.text_positions);
    if (!found) found = check_sampling(options.generate, flags);
    if (!found) found = check_training(options);
    return found;
}

void check_consistency(const Options& options) {
    if (const auto found = find_inconsistency(options)) throw Error(ExitCode::usage, found->message);
}

bool asks_for_dimension(const Options& options, const std::string& name) {
    const auto& names = options.explicit_model_options;
    return std::any_of(names.begin(), names.end(),
                       [&](const std::string& given) { return given == name || given == "model"; });
}

std::vector<std::string> model_conflicts(const Options& options, const ModelOptions& found) {
    ParsedCommandLine asked, there;
    asked.options = options;
    there.options.model = found;
    std::vector<std::string> conflicts;
    for (const OptionSpec& spec : option_table()) {
        // A preset asks for every dimension; what a preset is called does not matter. Another resolution is none of the
        // weights' concern: positions are resized.
        if (!spec.shapes_model() || spec.name == "model" || spec.name == "image-size") continue;
        if (!asks_for_dimension(options, spec.name)) continue;
        if (spec.get(asked) != spec.get(there))
            conflicts.push_back(
                fmt::format("{}: {} was asked for, the weights have {}", spec.name, spec.get(asked), spec.get(there)));
    }
    return conflicts;
}

}    // namespace blip
