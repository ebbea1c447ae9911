// See import.h: the model's shape from its tensors' shapes.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "blip/base/error.h"
#include "blip/base/log.h"
#include "blip/base/printable.h"
#include "blip/options/parse.h"
#include "blip/text/wordpiece.h"
#include "blip/weights/import.h"
#include "blip/weights/names.h"
#include "src/weights/huggingface/model_config.h"
#include "src/weights/position_embedding.h"
#include "src/weights/stored_names.h"

namespace blip {
namespace {

constexpr const char* kTextLayer = "text_decoder.bert.encoder.layer.";
constexpr const char* kVisionBlock = "visual_encoder.blocks.";

[[noreturn]] void no_captioner(const WeightFile& file, const std::string& why) {
    const auto any = [&](const char* prefix) {
        const auto at = file.tensors().lower_bound(prefix);
        return at != file.tensors().end() && at->first.starts_with(prefix);
    };
    std::string hint;
    if (any("text_encoder.") && !any("text_decoder."))
        hint = "; it holds a text encoder instead, as BLIP's models for retrieval and matching do";
    std::string names;
    for (const auto& [name, tensor] : file.tensors()) {
        if (std::count(names.begin(), names.end(), ',') == 2) break;
        names += (names.empty() ? "" : ", ") + printable(name);
    }
    throw Error(ExitCode::bad_data,
                "{} holds no BLIP captioner: {}{}. Its first names are {}; expected are such as {} and {}",
                file.path().string(), why, hint, names.empty() ? "none" : names, kWordEmbeddings, kPatchWeight);
}

// The shape of a tensor that every captioner has. what: said where it is missing.
const std::vector<std::int64_t>& shape_of(const WeightFile& file, const std::string& reference, std::size_t dimensions,
                                          const char* what) {
    const std::vector<std::string> names = stored_names(file, reference);
    if (names.empty()) no_captioner(file, fmt::format("it has no {} ({})", what, reference));
    const auto& shape = file.tensors().at(names.front()).shape;
    const bool plausible = shape.size() == dimensions && std::all_of(shape.begin(), shape.end(), [](auto extent) {
                               return extent > 0 && extent <= (1 << 20);
                           });
    if (!plausible) no_captioner(file, fmt::format("the shape of {} is [{}]", names.front(), fmt::join(shape, ", ")));
    return shape;
}

// Layers are numbered from 0 without a gap.
int count_layers(const WeightFile& file, const char* prefix, const char* first_tensor) {
    int layers = 0;
    while (!stored_names(file, fmt::format("{}{}.{}", prefix, layers, first_tensor)).empty()) ++layers;
    return layers;
}

void tell(const WeightFile& file, const ModelOptions& model) {
    if (!file.dropped_prefix().empty())
        log_info("{}: its names begin with '{}', which training tools put there: read without", file.path().string(),
                 printable(file.dropped_prefix()));
    const auto preset = preset_of(model);
    log_info("{}: {}, trained with pictures of {} x {} pixels", file.path().string(),
             preset ? fmt::format("weights of --model {}", *preset)
                    : fmt::format("weights with {} of {} channels in the image encoder, {} of {} in the "
                                  "caption decoder",
                                  counted(model.vision_depth, "block"), model.vision_width,
                                  counted(model.text_layers, "layer"), model.text_hidden),
             model.image_size, model.image_size);
}

// Heads leave no trace in the tensors. options: to give where nothing tells.
int heads_of(const WeightFile& file, const char* options, int said, int asked, bool is_asked, int width) {
    constexpr int usual_channels = 64;          // of a head, in every published BLIP
    if (said == 0 && is_asked) return asked;    // compared with the width by check_consistency
    if (said == 0 && width % usual_channels == 0) return width / usual_channels;
    if (said == 0)
        throw Error(ExitCode::bad_data,
                    "{}: weights do not tell their number of attention heads, and {} channels are not a multiple of "
                    "the usual {}: give --{}, or put the model's config.json beside the weights",
                    file.path().string(), width, usual_channels, options);
    if (width % said != 0)
        throw Error(ExitCode::bad_data,
                    "{}: {} attention heads do not divide {} channels; see the config.json beside the weights",
                    file.path().string(), said, width);
    return said;
}

void check_config_belongs(const WeightFile& file, const char* what, int said, int found) {
    if (said != 0 && said != found)
        throw Error(ExitCode::bad_data,
                    "the config.json beside {} says {} {}, the weights have {}: it belongs to other weights",
                    file.path().string(), what, said, found);
}

}    // namespace

ModelOptions recognise_shape(const WeightFile& file, const std::string& config, const ModelOptions& asked,
                             const std::vector<std::string>& explicit_options) {
    ModelOptions model;
    const auto& words_VH = shape_of(file, kWordEmbeddings, 2, "caption decoder");
    if (words_VH[0] != vocabulary_size) refuse_vocabulary(file, words_VH[0]);
    const auto& patch_WCPP = shape_of(file, kPatchWeight, 4, "image encoder");
    const auto& positions_1NW = shape_of(file, kPositionEmbeddings, 3, "positions of the image encoder");
    const auto side = grid_side(positions_1NW);
    if (!side || patch_WCPP[1] != 3 || patch_WCPP[2] != patch_WCPP[3])
        no_captioner(file, fmt::format("patches [{}] and their positions [{}] are not of square RGB pictures",
                                       fmt::join(patch_WCPP, ", "), fmt::join(positions_1NW, ", ")));
    model.text_hidden = static_cast<int>(words_VH[1]);
    model.text_positions = static_cast<int>(
        shape_of(file, "text_decoder.bert.embeddings.position_embeddings.weight", 2, "text positions")[0]);
    model.text_layers = count_layers(file, kTextLayer, "intermediate.dense.weight");
    model.text_intermediate = static_cast<int>(
        shape_of(file, fmt::format("{}0.intermediate.dense.weight", kTextLayer), 2, "layer in its decoder")[0]);
    shape_of(file, fmt::format("{}0.crossattention.self.key.weight", kTextLayer), 2, "cross-attention");
    model.vision_width = static_cast<int>(patch_WCPP[0]);
    model.patch_size = static_cast<int>(patch_WCPP[2]);
    model.image_size = static_cast<int>(*side) * model.patch_size;
    model.vision_depth = count_layers(file, kVisionBlock, "attn.qkv.weight");
    shape_of(file, fmt::format("{}0.attn.qkv.weight", kVisionBlock), 2, "block in its image encoder");

    const ModelConfig said = read_model_config(config, fmt::format("the config.json beside {}", file.path().string()));
    check_config_belongs(file, "text hidden_size", said.text_hidden, model.text_hidden);
    check_config_belongs(file, "vision hidden_size", said.vision_width, model.vision_width);
    for (const std::string& warning : said.warnings) log_warning_text(warning);
    for (const std::string& note : said.notes) log_info_text(note);
    const auto is_asked = [&](const char* name) {
        return std::any_of(explicit_options.begin(), explicit_options.end(),
                           [&](const std::string& given) { return given == name || given == "model"; });
    };
    model.text_heads = heads_of(file, "text-heads and --vision-heads", said.text_heads, asked.text_heads,
                                is_asked("text-heads"), model.text_hidden);
    model.vision_heads = heads_of(file, "vision-heads", said.vision_heads, asked.vision_heads, is_asked("vision-heads"),
                                  model.vision_width);
    model.preset = asked.preset;
    if (const auto preset = preset_of(model)) model.preset = *preset;
    tell(file, model);
    return model;
}

}    // namespace blip
