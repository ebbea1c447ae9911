// Parameter names: the reference's (ours) and Hugging Face's (BlipForConditionalGeneration), both ways. Used by import
// and export.
#pragma once

#include <optional>
#include <string>

namespace blip {

// Hugging Face's name of a parameter with this reference name; nullopt if it is none of BLIP's.
std::optional<std::string> huggingface_name(const std::string& reference);
// The reverse. The two tied head tensors and position_ids have names on both sides, too.
std::optional<std::string> reference_name(const std::string& huggingface);

}    // namespace blip
