// Linear, LayerNorm and head reshapes: see layers.h.
#include "blip/model/layers.h"

#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>

namespace blip {

namespace {
const at::Tensor& view(const Weights& weights, ParamId id) { return weights[static_cast<std::size_t>(id)]; }
}    // namespace

Linear::Linear(Layout& layout, const std::string& name, std::int64_t in, std::int64_t out, Init weight_init)
    : weight_(layout.declare(name + ".weight", {out, in}, weight_init)),
      bias_(layout.declare(name + ".bias", {out}, Init::zeros())) {}

at::Tensor Linear::operator()(const Weights& weights, const at::Tensor& x) const {
    return at::linear(x, view(weights, weight_), view(weights, bias_));
}

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

at::Tensor merge_heads(const at::Tensor& x_BhTd) {
    return x_BhTd.transpose(1, 2).reshape({x_BhTd.size(0), x_BhTd.size(2), -1});
}

}    // namespace blip
