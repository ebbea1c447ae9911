// The whole network: image encoder and caption decoder over one layout. Used by the trainer, the evaluator and caption.
// Legend as in vision_encoder.h and text_decoder.h.
#pragma once

#include <vector>

#include "blip/model/text_decoder.h"
#include "blip/model/vision_encoder.h"
#include "blip/options/options.h"
#include "blip/params/layout.h"

namespace blip {

class Captioner {
  public:
    explicit Captioner(const ModelOptions& options);

    const Layout& layout() const { return layout_; }
    const ModelOptions& options() const { return options_; }
    const VisionEncoder& vision() const { return vision_; }
    const TextDecoder& text() const { return text_; }

    // Floating-point operations of the matrix products of a forward pass over one picture and its captions, which have
    // so many tokens, with logits for so many in all.
    double forward_flops(const std::vector<int>& tokens, int logits) const;
    // With the backward pass; of a frozen picture encoder there is none.
    double training_flops(const std::vector<int>& tokens, int logits, bool frozen_vision) const;

  private:
    ModelOptions options_;
    Layout layout_;
    VisionEncoder vision_;
    TextDecoder text_;
};

}    // namespace blip
