// What the configuration files of a CLIP model in Hugging Face's form say: the shape of both networks, and what is done
// to pictures before. Internal to clip.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>

namespace blip {

struct ClipTransformer {
    std::int64_t width = 0, inner_width = 0;
    int depth = 0;
    std::int64_t heads = 0;
    bool quick_gelu = true;    // x * sigmoid(1.702 x), as OpenAI's models have; else the exact GELU
    double norm_eps = 1e-5;
};

struct ClipConfig {
    ClipTransformer vision, text;
    int image_size = 0, patch_size = 0;
    std::int64_t words = 0, positions = 0;    // rows of the text's embeddings
    // The text's vector is that of the first token of this id; by_largest_id: of the token with the largest one, as
    // Hugging Face does for configurations of before 2023, OpenAI's among them.
    std::int64_t end_token = 0;
    static constexpr std::int64_t by_largest_id = 2;
    std::int64_t vector_size = 0;
};

// DIR/config.json, with the defaults of Hugging Face's classes where it leaves something out. Errors: missing_input;
// bad_data naming file and field, for another kind of model, too.
ClipConfig read_clip_config(const std::filesystem::path& folder);

// Pictures are resized until the shorter side is so long, then the middle is taken; pixels less mean, by std.
struct ClipPictures {
    int shorter = 0, crop = 0;
    std::array<float, 3> mean{}, deviation{};
};

// DIR/preprocessor_config.json, or CLIP's own values where there is no such file. Throws bad_data naming what it asks
// for and is not done here.
ClipPictures read_clip_pictures(const std::filesystem::path& folder, int image_size);

}    // namespace blip
