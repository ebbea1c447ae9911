// CLIP's two networks, from pictures and tokens to vectors of length one. Internal to clip.
// Legend: I images, S image size, B texts, T tokens, W width, D vector_size.
#pragma once

#include <string>
#include <vector>

#include "blip/model/layers.h"
#include "src/clip/config.h"

namespace blip {

// Blocks with their LayerNorms in front. names: "NAME.N.layer_norm1.weight" and so on, as in Hugging Face's models.
class ClipBlocks {
  public:
    ClipBlocks(Layout& layout, const std::string& name, const ClipTransformer& shape);
    // Query, key and value of a block become one product; once all parameters of the layout are declared.
    void join(Layout& layout);
    // causal: a token sees itself and those before it.
    at::Tensor operator()(const Weights& weights, at::Tensor x_BTW, bool causal) const;

  private:
    struct Block {
        LayerNorm norm1;
        Linear query, key, value, out;
        LayerNorm norm2;
        Linear fc1, fc2;
    };
    ClipTransformer shape_;
    std::vector<Block> blocks_;
    std::vector<Linear> joined_;
};

class ClipModel {
  public:
    explicit ClipModel(const ClipConfig& config);
    // Hugging Face's names and shapes.
    const Layout& layout() const { return layout_; }
    // pixels: fp32 [I, 3, S, S], normalised. Returns [I, D].
    at::Tensor of_pictures(const Weights& weights, const at::Tensor& pixels_I3SS) const;
    // ids: int64 [B, T], at least one token; all of a text's, without padding. Returns [B, D].
    at::Tensor of_texts(const Weights& weights, const at::Tensor& ids_BT) const;

  private:
    at::Tensor ends_of(const at::Tensor& ids_BT) const;

    ClipConfig config_;
    Layout layout_;
    // of pictures
    ParamId class_, patches_, places_;
    LayerNorm before_;
    ClipBlocks vision_;
    LayerNorm after_;
    ParamId picture_projection_;
    // of texts
    ParamId words_, positions_;
    ClipBlocks text_;
    LayerNorm final_;
    ParamId text_projection_;
};

}    // namespace blip
