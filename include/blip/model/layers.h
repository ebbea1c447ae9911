// Building blocks of the network: each declares its parameters into a layout when constructed and computes from the
// arena's views when called. Used by vision_encoder and text_decoder.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "blip/params/layout.h"

namespace blip {

// The arena's weights by ParamId.
using Weights = std::vector<at::Tensor>;

// y = x W^T + b. weight [out, in], bias [out].
class Linear {
  public:
    Linear(Layout& layout, const std::string& name, std::int64_t in, std::int64_t out, Init weight_init);
    at::Tensor operator()(const Weights& weights, const at::Tensor& x) const;

  private:
    ParamId weight_, bias_;
};

// Over the last dimension.
class LayerNorm {
  public:
    LayerNorm(Layout& layout, const std::string& name, std::int64_t width, double eps);
    at::Tensor operator()(const Weights& weights, const at::Tensor& x) const;

  private:
    ParamId weight_, bias_;
    std::int64_t width_;
    double eps_;
};

// [B, T, heads * d] -> [B, heads, T, d], a view
at::Tensor split_heads(const at::Tensor& x_BTH, std::int64_t heads);
// [B, heads, T, d] -> [B, T, heads * d], contiguous
at::Tensor merge_heads(const at::Tensor& x_BhTd);

}    // namespace blip
