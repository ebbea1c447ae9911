// LayerNorm, the ends of branches and head reshapes: see layers.h.
#include "blip/model/layers.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/stack.h>
#include <torch/csrc/autograd/custom_function.h>

#include "src/model/fused.h"

namespace blip {

namespace {

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

BranchEnd BranchEnd::fused(const Weights& weights, const Linear& last, const at::Tensor& x, const at::Tensor& residual,
                           const LayerNorm& norm, const BranchScaling& scaling) {
    return fused_residual_norm(last.without_bias(weights, x), last.bias(weights), residual, view(weights, norm.weight_),
                               view(weights, norm.bias_), norm.eps_, scaling);
}

BranchEnd BranchEnd::dropped(const Weights& weights, const Linear& last, const at::Tensor& x,
                             const at::Tensor& residual, const LayerNorm& norm, DropoutMasks& dropout) {
    if (x.is_cuda()) return fused(weights, last, x, residual, norm, {dropout.next(), {}});
    const at::Tensor sum = dropout.apply(last(weights, x)) + residual;
    return {sum, norm(weights, sum)};
}

BranchEnd BranchEnd::scaled(const Weights& weights, const Linear& last, const at::Tensor& x, const at::Tensor& residual,
                            const LayerNorm* norm, const at::Tensor& scales_I) {
    if (x.is_cuda()) return fused(weights, last, x, residual, *norm, {{}, scales_I});
    at::Tensor branch = last(weights, x);
    if (scales_I.defined()) branch = branch * scales_I.to(branch.scalar_type()).view({-1, 1, 1});
    const at::Tensor sum = residual + branch;
    return {sum, norm != nullptr ? (*norm)(weights, sum) : at::Tensor()};
}

at::Tensor gelu_of(const Weights& weights, const Linear& inner, const at::Tensor& x) {
    if (x.is_cuda()) return fused_bias_gelu(inner.without_bias(weights, x), inner.bias(weights));
    return at::gelu(inner(weights, x));
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
