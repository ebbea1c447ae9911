// See names.h.
#include "blip/weights/names.h"

#include <array>
#include <string_view>
#include <utility>

namespace blip {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;

// whole names, reference first
constexpr std::array<Pair, 2> whole = {{
    {"visual_encoder.cls_token", "vision_model.embeddings.class_embedding"},
    {"visual_encoder.pos_embed", "vision_model.embeddings.position_embedding"},
}};
// beginnings
constexpr std::array<Pair, 3> prefixes = {{
    {"visual_encoder.patch_embed.proj.", "vision_model.embeddings.patch_embedding."},
    {"visual_encoder.norm.", "vision_model.post_layernorm."},
    {"visual_encoder.blocks.", "vision_model.encoder.layers."},
}};
// within a vision block, behind its number
constexpr std::array<Pair, 6> in_block = {{
    {"norm1.", "layer_norm1."},
    {"norm2.", "layer_norm2."},
    {"attn.qkv.", "self_attn.qkv."},
    {"attn.proj.", "self_attn.projection."},
    {"mlp.fc1.", "mlp.fc1."},
    {"mlp.fc2.", "mlp.fc2."},
}};

std::string_view side(const Pair& pair, bool from_reference) { return from_reference ? pair.first : pair.second; }

// "N." at the front of rest, its length; 0 if there is none.
std::size_t number_length(std::string_view rest) {
    const std::size_t digits = rest.find_first_not_of("0123456789");
    return digits != std::string_view::npos && digits > 0 && rest[digits] == '.' ? digits + 1 : 0;
}

std::optional<std::string> translate(std::string_view name, bool from_reference) {
    if (name.starts_with("text_decoder.")) return std::string(name);    // the same on both sides
    for (const Pair& pair : whole)
        if (name == side(pair, from_reference)) return std::string(side(pair, !from_reference));
    for (const Pair& pair : prefixes) {
        const std::string_view from = side(pair, from_reference);
        if (!name.starts_with(from)) continue;
        std::string_view rest = name.substr(from.size());
        std::string to(side(pair, !from_reference));
        if (&pair != &prefixes.back()) return to.append(rest);
        const std::size_t number = number_length(rest);
        to.append(rest.substr(0, number));
        rest.remove_prefix(number);
        for (const Pair& part : in_block)
            if (number > 0 && rest.starts_with(side(part, from_reference)))
                return to.append(side(part, !from_reference)).append(rest.substr(side(part, from_reference).size()));
    }
    return std::nullopt;
}

}    // namespace

std::optional<std::string> huggingface_name(const std::string& reference) { return translate(reference, true); }
std::optional<std::string> reference_name(const std::string& huggingface) { return translate(huggingface, false); }

}    // namespace blip
