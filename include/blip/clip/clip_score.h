// CLIPScore and RefCLIPScore (Hessel et al., EMNLP 2021): how well captions fit pictures, and pictures and references,
// by the vectors that a CLIP model (Radford et al. 2021) makes of them. fp32, on the CPU. Called by the verb score.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace blip {

// What stands before each caption and reference, and the factor of CLIPScore: section 3 of the paper.
inline constexpr const char* clip_prompt = "A photo depicts ";
inline constexpr double clip_weight = 2.5;

// All by image, in one order.
struct ClipInput {
    std::vector<std::filesystem::path> pictures;
    std::vector<std::vector<std::string>> references;    // at least one each
    std::vector<std::vector<std::string>> runs;          // of each run a caption
};

// By image. clip: 2.5 * max(cos(picture, caption), 0). ref_clip: the harmonic mean of that and the largest of
// max(cos(caption, reference), 0); 0 if both are 0.
struct ClipScores {
    std::vector<double> clip, ref_clip;
};
struct ClipResults {
    std::string digest;    // of the weights, whatever their form; 16 hex digits
    std::vector<ClipScores> runs;
};

// what ("pictures", "captions"), how many are done, of how many; may throw to end it.
using ClipProgress = std::function<void(const char* what, std::int64_t done, std::int64_t total)>;

// folder: a CLIP model in Hugging Face's form: config.json, weights (weights/weight_file.h), vocab.json, merges.txt,
// and preprocessor_config.json where there is one. threads: that read pictures; LibTorch has its own count. Memory: the
// weights in fp32, a batch of pictures, and a vector for each picture and each different caption.
// Errors: missing_input for a file that is not there, bad_data naming the file and, of weights, the tensors that are
// missing or have other shapes; what the configuration asks for and is not computed here is refused by name.
ClipResults clip_scores(const std::filesystem::path& folder, const ClipInput& input, int threads,
                        const ClipProgress& progress);

}    // namespace blip
