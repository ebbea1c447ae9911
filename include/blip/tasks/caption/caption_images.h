// From pictures to captions in words. Used by the evaluator and the caption verb. Legend: I pictures, S image size.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "blip/model/captioner.h"
#include "blip/options/options.h"
#include "blip/text/wordpiece.h"

namespace blip {

struct Caption {
    std::string text;
    double log_probability = 0;    // as Generated::log_probability in generate/beam_search.h
};

// What belongs to one picture.
struct PictureRequest {
    std::string prompt;       // how its captions begin; cut off again
    std::uint64_t key = 0;    // drawn captions depend on it, the seed and nothing else
};

// num_captions captions of each picture (uint8 [I, 3, S, S], on the device of the weights) in the order generate()
// gives them. Pictures whose prompts have different lengths are computed in groups of equal length: no caption depends
// on its neighbours. options.prompt is not used.
std::vector<std::vector<Caption>> caption_images(const Captioner& captioner, const Weights& weights,
                                                 const at::Tensor& images_I3SS, const WordPieceTokenizer& tokenizer,
                                                 const GenerateOptions& options,
                                                 const std::vector<PictureRequest>& requests, std::uint64_t seed);

}    // namespace blip
