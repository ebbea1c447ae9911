// Under which names a weight file holds a parameter, and what a vocabulary of another size is. Internal to import.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "blip/weights/weight_file.h"

namespace blip {

inline constexpr const char* kWordEmbeddings = "text_decoder.bert.embeddings.word_embeddings.weight";
inline constexpr const char* kPatchWeight = "visual_encoder.patch_embed.proj.weight";
inline constexpr const char* kPositionEmbeddings = "visual_encoder.pos_embed";

// Of a parameter, the second name that the reference's state dict has for it (a tied head).
struct TiedPair {
    std::string_view ours, twin;
};
inline constexpr TiedPair kTied[] = {
    {kWordEmbeddings, "text_decoder.cls.predictions.decoder.weight"},
    {"text_decoder.cls.predictions.bias", "text_decoder.cls.predictions.decoder.bias"},
};

// All names in the file of the parameter with this reference name: the reference's, the tied twin's, Hugging Face's of
// either. Empty if there is none.
std::vector<std::string> stored_names(const WeightFile& file, const std::string& reference);

// Expected where the model needs nothing of it: positions as numbers, the temperature that CLIP was trained with, and
// the tied head's second names.
bool is_harmless_extra(const std::string& name);

// Throws bad_data, which says what weights with so many rows of word embeddings are instead.
[[noreturn]] void refuse_vocabulary(const WeightFile& file, std::int64_t rows);

}    // namespace blip
