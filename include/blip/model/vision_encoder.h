// ViT image encoder (Dosovitskiy et al. 2021) as reference BLIP builds it: pre-LayerNorm, eps 1e-6, exact GELU, fused
// qkv. Legend: I images, S image size, P patches per side, N = 1 + P*P tokens, W width.
#pragma once

#include <vector>

#include "blip/kernels/recompute.h"
#include "blip/model/layers.h"
#include "blip/options/options.h"

namespace blip {

class VisionEncoder {
  public:
    VisionEncoder(Layout& layout, const ModelOptions& options);
    // images: uint8 [I, 3, S, S], 0..255; normalised here. Returns [I, N, W] in the weights' precision.
    // branch_scales: [2 * depth, I] of kernels/drop_path, or undefined (no stochastic depth).
    // recomputed_blocks: the last so many blocks keep their input only and compute the rest again in backward (gradient
    // checkpointing: block i of D if i >= D - recomputed_blocks); the same bits. weights must outlive backward.
    at::Tensor forward(const Weights& weights, const at::Tensor& images_I3SS, const at::Tensor& branch_scales = {},
                       int recomputed_blocks = 0) const;

  private:
    struct Block {
        LayerNorm norm1;
        Linear qkv, proj;
        LayerNorm norm2;
        Linear fc1, fc2;
    };
    static Block make_block(Layout& layout, const std::string& name, std::int64_t width);
    at::Tensor patches(const at::Tensor& images_I3SS, at::ScalarType type) const;
    at::Tensor attention(const Weights& weights, const Block& block, const at::Tensor& x_INW) const;
    // A block's input, and norm1 of it if that is there already; then the result has the next block's too (the last
    // one's: norm_), else it has none.
    TensorPair run_block(const Weights& weights, std::size_t index, const TensorPair& x_and_norm_INW,
                         const at::Tensor& branch_scales) const;

    std::int64_t width_, heads_, image_size_, patch_size_;
    ParamId cls_token_, pos_embed_;
    Linear patch_embed_;
    std::vector<Block> blocks_;
    LayerNorm norm_;
};

}    // namespace blip
