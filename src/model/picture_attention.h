// Cross-attention of captions to the tokens of their pictures, for passes over whole captions. A caption has far fewer
// tokens than a picture, so keys and values of a picture's tokens are never made, and several captions of a picture are
// further queries over its tokens. By associativity (as DeepSeek-AI,
// "DeepSeek-V2", 2024, section 2.1.2, does it for decoding):
//     scores  = q . (Wk x + bk)      = (Wk^T q) . x + q . bk
//     context = sum of p (Wv x + bv) = Wv (sum of p x) + bv (sum of p)
// With 26 tokens, 577 of a picture and heads of 64 this takes 2.3 times fewer operations; from as many tokens as a head
// is wide on, keys and values are less work (TextDecoder::makes_keys). Internal to the model layer.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "blip/kernels/dropout.h"

namespace blip {

// A size of a tensor like x with what is added to it: products of bf16 on a GPU are fast where rows begin at multiples
// of 16 bytes.
std::int64_t padded(std::int64_t size, const at::Tensor& x);

// Legend: I pictures, C captions (as many of each picture), T tokens of a caption, N tokens of a picture, W vision
// width, H hidden, P parts = 2 * layers.
class PictureAttention {
  public:
    // weight, bias: Wk and bk of the first layer, then its Wv and bv, those of the second
    // layer, and so on; where they are leaves that want gradients, backward adds these to them.
    PictureAttention(const at::Tensor& pictures_INW, const at::Tensor& weight_PHW, const at::Tensor& bias_PH,
                     std::int64_t layers, std::int64_t heads);
    // One call for each layer. query: [C, T, H], contiguous, picture by picture; C a multiple of I. Returns the
    // context, of the same shape.
    at::Tensor attend(std::int64_t layer, const at::Tensor& query_CTH, DropoutMasks& dropout) const;

    struct State;

  private:
    std::shared_ptr<State> state_;
    at::Tensor in_graph_;    // empty; stands for the pictures and the weights in autograd's graph
};

}    // namespace blip
