// See captioner.h.
#include "blip/model/captioner.h"

#include <cmath>

#include "blip/text/wordpiece.h"

namespace blip {

Captioner::Captioner(const ModelOptions& options)
    : options_(options), vision_(layout_, options), text_(layout_, options) {}

// A product of [m, k] and [k, n] takes 2mkn. Legend: W, H widths of vision and text, N tokens of a picture, T of a
// caption.
double Captioner::forward_flops(const std::vector<int>& tokens, int logits) const {
    const double patches = std::pow(options_.image_size / options_.patch_size, 2), N = patches + 1;
    const double W = options_.vision_width, H = options_.text_hidden, F = options_.text_intermediate;
    const double patch_embedding = 2 * patches * 3 * std::pow(options_.patch_size, 2) * W;
    // queries, keys, values and what follows attention: 4 W^2 a token; the two layers behind: 8 W^2
    const double vision_block = 2 * N * 12 * W * W + 4 * N * N * W;
    double queries = 0, self_attention = 0;
    for (const double T : tokens) {
        queries += T;
        self_attention += 2 * T * 4 * H * H + 4 * T * T * H;
    }
    double cross_attention = 2 * queries * 2 * H * H;
    if (text_.makes_keys(static_cast<std::int64_t>(tokens.size()), static_cast<std::int64_t>(queries),
                         static_cast<std::int64_t>(N)))
        cross_attention += 4 * N * W * H + 4 * queries * N * H;
    else
        cross_attention += 4 * queries * H * W + 4 * queries * options_.text_heads * N * W;
    const double head = 2.0 * logits * H * (H + vocabulary_size);
    return patch_embedding + options_.vision_depth * vision_block + head +
           options_.text_layers * (self_attention + cross_attention + 2 * queries * 2 * H * F);
}

double Captioner::training_flops(const std::vector<int>& tokens, int logits, bool frozen_vision) const {
    // a backward pass has two products for each of the forward pass
    return 3 * forward_flops(tokens, logits) - (frozen_vision ? 2 * forward_flops({}, 0) : 0);
}

}    // namespace blip
