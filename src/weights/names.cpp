// See names.h.
#include "blip/weights/names.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace blip {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;

// Whole names, and beginnings, which end with a period; reference first.
constexpr Pair known[] = {
    {"visual_encoder.cls_token", "vision_model.embeddings.class_embedding"},
    {"visual_encoder.pos_embed", "vision_model.embeddings.position_embedding"},
    {"visual_encoder.patch_embed.proj.", "vision_model.embeddings.patch_embedding."},
    {"visual_encoder.norm.", "vision_model.post_layernorm."},
    {"text_decoder.", "text_decoder."},
};
// within a vision block, behind its number
constexpr Pair in_block[] = {
    {"norm1.", "layer_norm1."},      {"norm2.", "layer_norm2."},
    {"attn.qkv.", "self_attn.qkv."}, {"attn.proj.", "self_attn.projection."},
    {"mlp.fc1.", "mlp.fc1."},        {"mlp.fc2.", "mlp.fc2."},
};

}    // namespace

std::optional<std::string> huggingface_name(const std::string& reference) {
    for (const auto& [ours, theirs] : known)
        if (reference == ours || (ours.ends_with('.') && reference.starts_with(ours)))
            return std::string(theirs).append(reference, ours.size());
    constexpr std::string_view blocks = "visual_encoder.blocks.";
    if (!reference.starts_with(blocks)) return std::nullopt;
    const std::string_view numbered = std::string_view(reference).substr(blocks.size());
    const std::size_t digits = numbered.find_first_not_of("0123456789");
    if (digits == std::string_view::npos || digits == 0 || numbered[digits] != '.') return std::nullopt;
    const std::string_view rest = numbered.substr(digits + 1);
    for (const auto& [ours, theirs] : in_block)
        if (rest.starts_with(ours))
            return fmt::format("vision_model.encoder.layers.{}.{}{}", numbered.substr(0, digits), theirs,
                               rest.substr(ours.size()));
    return std::nullopt;
}

}    // namespace blip
