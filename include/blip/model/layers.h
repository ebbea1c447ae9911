// Building blocks of the network: each declares its parameters into a layout when constructed and computes from the
// arena's views when called. Used by vision_encoder and text_decoder.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "blip/kernels/residual_norm.h"
#include "blip/params/arena.h"

namespace blip {

inline const at::Tensor& view(const Weights& weights, ParamId id) { return weights[static_cast<std::size_t>(id)]; }

// Where a part's heads [B, heads, T, d] lie: as strides over the product, or copied, contiguous.
enum class HeadMemory : std::uint8_t { of_product, own };

// y = x W^T + b. weight [out, in] (or [out, ...] with as many elements), bias [out]. Backward adds to the parameters'
// gradients where they are; their post-accumulate hooks run as for any leaf.
class Linear {
  public:
    Linear(Layout& layout, const std::string& name, std::int64_t in, std::int64_t out, Init weight_init);
    // Over parameters that are declared already.
    Linear(ParamId weight, ParamId bias) : weight_(weight), bias_(bias) {}
    // Several as one, over the same input: their outputs one after another in y's last dimension. From then on
    // gradients reach their parameters through it alone; by themselves they only compute.
    static Linear join(Layout& layout, const std::vector<Linear>& parts);
    at::Tensor operator()(const Weights& weights, const at::Tensor& x) const;
    // For a kernel that adds the bias along with other work.
    at::Tensor without_bias(const Weights& weights, const at::Tensor& x) const;
    const at::Tensor& bias(const Weights& weights) const { return view(weights, bias_); }
    const at::Tensor& weight(const Weights& weights) const { return view(weights, weight_); }
    // Of one to three of one size side by side, as a joined one's: each part's heads of y [B, T, parts * heads * d]. On
    // a GPU the parts' gradients are put together and summed for the bias by one kernel.
    std::vector<at::Tensor> by_head(const Weights& weights, const at::Tensor& x, std::int64_t parts, std::int64_t heads,
                                    HeadMemory memory) const;
    // y in fp32 whatever the weights are in; its gradient is rounded once, to their precision.
    at::Tensor in_fp32(const Weights& weights, const at::Tensor& x) const;

  private:
    ParamId weight_, bias_;
};

// Over the last dimension.
class LayerNorm {
  public:
    LayerNorm(Layout& layout, const std::string& name, std::int64_t width, double eps);
    at::Tensor operator()(const Weights& weights, const at::Tensor& x) const;

  private:
    friend struct BranchEnd;
    ParamId weight_, bias_;
    std::int64_t width_;
    double eps_;
};

// How a branch of the network comes back to its main line, and the LayerNorm of their sum: one kernel on a GPU,
// operator by operator on the CPU.
struct BranchEnd {
    at::Tensor sum, normed;

    // sum = residual + dropout(last(x))
    static BranchEnd dropped(const Weights& weights, const Linear& last, const at::Tensor& x,
                             const at::Tensor& residual, const LayerNorm& norm, DropoutMasks& dropout);
    // sum = residual + scales_I * last(x), a factor for each picture; undefined: 1. norm: null on the CPU only, for the
    // sum alone.
    static BranchEnd scaled(const Weights& weights, const Linear& last, const at::Tensor& x, const at::Tensor& residual,
                            const LayerNorm* norm, const at::Tensor& scales_I);

  private:
    static BranchEnd fused(const Weights& weights, const Linear& last, const at::Tensor& x, const at::Tensor& residual,
                           const LayerNorm& norm, const BranchScaling& scaling);
};
// gelu(inner(x)), likewise.
at::Tensor gelu_of(const Weights& weights, const Linear& inner, const at::Tensor& x);

// [B, T, heads * d] -> [B, heads, T, d], a view
at::Tensor split_heads(const at::Tensor& x_BTH, std::int64_t heads);
// Of a joined projection [B, T, parts * heads * d]: each part's heads [B, heads, T, d], contiguous. Forward is one
// copy, and so is backward, however many parts there are.
std::vector<at::Tensor> parts_by_head(const at::Tensor& x_BTPH, std::int64_t parts, std::int64_t heads);
// [B, heads, T, d] -> [B, T, heads * d], contiguous
at::Tensor merge_heads(const at::Tensor& x_BhTd);

}    // namespace blip
