// Parameter names: the reference's (ours) and Hugging Face's (BlipForConditionalGeneration). Used by import and export.
#pragma once

#include <optional>
#include <string>

namespace blip {

// Hugging Face's name of a parameter with this reference name; nullopt if it is none of BLIP's. The two tied head
// tensors and position_ids have one, too.
std::optional<std::string> huggingface_name(const std::string& reference);

}    // namespace blip
