// What a config.json beside weights says: ours, or that of Hugging Face's BLIP. Internal to import.
#pragma once

#include <string>
#include <vector>

namespace blip {

struct ModelConfig {
    int text_heads = 0, vision_heads = 0;     // 0: not said
    int text_hidden = 0, vision_width = 0;    // likewise
    std::vector<std::string> warnings;        // what it asks for and is not computed here
    std::vector<std::string> notes;           // small differences
};

// text may be empty. origin: named in errors. Throws bad_data: no JSON object, numbers that are none.
ModelConfig read_model_config(const std::string& text, const std::string& origin);

}    // namespace blip
