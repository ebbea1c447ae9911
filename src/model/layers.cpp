// LayerNorm and head reshapes: see layers.h.
#include "blip/model/layers.h"

#include <ATen/ops/layer_norm.h>
#include <ATen/ops/stack.h>
#include <torch/csrc/autograd/custom_function.h>

namespace blip {

namespace {

const at::Tensor& view(const Weights& weights, ParamId id) { return weights[static_cast<std::size_t>(id)]; }

// See parts_by_head. Legend: P parts, h heads.
struct PartsByHead : torch::autograd::Function<PartsByHead> {
    static torch::autograd::variable_list forward(torch::autograd::AutogradContext*, const at::Tensor& x_BTPH,
                                                  std::int64_t parts, std::int64_t heads) {
        return x_BTPH.view({x_BTPH.size(0), x_BTPH.size(1), parts, heads, -1})
            .permute({2, 0, 3, 1, 4})
            .contiguous()
            .unbind(0);
    }
    static torch::autograd::variable_list backward(torch::autograd::AutogradContext*,
                                                   torch::autograd::variable_list gradients_BhTd) {
        for (at::Tensor& gradient : gradients_BhTd) gradient = gradient.transpose(1, 2);
        return {at::stack(gradients_BhTd, 2).flatten(2), at::Tensor(), at::Tensor()};
    }
};

}    // namespace

LayerNorm::LayerNorm(Layout& layout, const std::string& name, std::int64_t width, double eps)
    : weight_(layout.declare(name + ".weight", {width}, Init::ones())),
      bias_(layout.declare(name + ".bias", {width}, Init::zeros())),
      width_(width),
      eps_(eps) {}

at::Tensor LayerNorm::operator()(const Weights& weights, const at::Tensor& x) const {
    return at::layer_norm(x, {width_}, view(weights, weight_), view(weights, bias_), eps_);
}

at::Tensor split_heads(const at::Tensor& x_BTH, std::int64_t heads) {
    return x_BTH.view({x_BTH.size(0), x_BTH.size(1), heads, -1}).transpose(1, 2);
}

std::vector<at::Tensor> parts_by_head(const at::Tensor& x_BTPH, std::int64_t parts, std::int64_t heads) {
    return PartsByHead::apply(x_BTPH, parts, heads);
}

at::Tensor merge_heads(const at::Tensor& x_BhTd) {
    return x_BhTd.transpose(1, 2).reshape({x_BhTd.size(0), x_BhTd.size(2), -1});
}

}    // namespace blip
