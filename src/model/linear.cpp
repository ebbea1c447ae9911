// Linear: see layers.h. Its backward pass adds weight and bias gradients straight into the leaves' gradients: the
// product's own addition saves a pass over each.
#include <ATen/ops/addmm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>

#include "blip/model/layers.h"
#include "src/model/leaf_gradient.h"

namespace blip {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// weight: its rows flattened are [out, in]; bias may be undefined. On a GPU fp32 sums of bf16 products need not be
// rounded on the way.
at::Tensor product(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool fp32) {
    const at::Tensor weight_OI = weight.detach().flatten(1);
    if (!fp32 || weight.scalar_type() == at::kFloat) return at::linear(x, weight_OI, bias);
    if (!weight.is_cuda()) return at::linear(x, weight_OI, bias).to(at::kFloat);
    const at::Tensor rows_RI = x.reshape({-1, weight_OI.size(1)});
    // Not with the bias as an addend of one dimension: with it, LibTorch's product of such types was wrong at times.
    at::Tensor y_RO = bias.to(at::kFloat).expand({rows_RI.size(0), weight_OI.size(0)}).contiguous();
    at::addmm_out(y_RO, y_RO, rows_RI, weight_OI.t(), at::kFloat);
    std::vector<std::int64_t> shape = x.sizes().vec();
    shape.back() = weight_OI.size(0);
    return y_RO.view(shape);
}

// Weight and bias (if any) are leaves that require gradients. Autograd gets none for them.
struct LinearOfLeaves : torch::autograd::Function<LinearOfLeaves> {
    static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                              const std::optional<at::Tensor>& bias, bool fp32) {
        context->save_for_backward({x, weight, bias.value_or(at::Tensor())});
        return product(x, weight, bias.value_or(at::Tensor()), fp32);
    }
    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        const variable_list saved = context->get_saved_variables();
        const at::Tensor &x = saved[0], &weight = saved[1], &bias = saved[2];
        const at::Tensor weight_OI = weight.detach().flatten(1);
        const at::Tensor of_rows_RO = gradients[0].to(weight.scalar_type()).reshape({-1, weight_OI.size(0)});
        at::Tensor of_x;
        if (context->needs_input_grad(0)) of_x = at::mm(of_rows_RO, weight_OI).view(x.sizes());
        add_product_gradient(weight, of_rows_RO, x.detach().reshape({-1, weight_OI.size(1)}));
        if (bias.defined()) add_row_sum_gradient(bias, of_rows_RO);
        return {of_x, at::Tensor(), at::Tensor(), at::Tensor()};
    }
};

// Without a gradient for weight and bias; autograd's own for x.
at::Tensor plain(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool fp32) {
    return c10::GradMode::is_enabled() && x.requires_grad() && fp32
               ? at::linear(x, weight.flatten(1), bias).to(at::kFloat)
               : product(x, weight, bias, fp32);
}

at::Tensor computed(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool fp32) {
    if (!wants_gradient(weight)) return plain(x, weight, bias, fp32);
    // Function::apply takes no undefined tensor but in an optional.
    return LinearOfLeaves::apply(x, weight, bias.defined() ? std::optional(bias) : std::nullopt, fp32);
}

}    // namespace

Linear::Linear(Layout& layout, const std::string& name, std::int64_t in, std::int64_t out, Init weight_init)
    : weight_(layout.declare(name + ".weight", {out, in}, weight_init)),
      bias_(layout.declare(name + ".bias", {out}, Init::zeros())) {}

Linear Linear::join(Layout& layout, const std::vector<Linear>& parts) {
    std::vector<ParamId> weights, biases;
    for (const Linear& part : parts) {
        weights.push_back(part.weight_);
        biases.push_back(part.bias_);
    }
    const ParamId weight = layout.join(std::move(weights));    // first: ids are given out in the order of the calls
    return {weight, layout.join(std::move(biases))};
}

at::Tensor Linear::operator()(const Weights& weights, const at::Tensor& x) const {
    return computed(x, view(weights, weight_), bias(weights), false);
}

at::Tensor Linear::without_bias(const Weights& weights, const at::Tensor& x) const {
    return computed(x, view(weights, weight_), {}, false);
}

at::Tensor Linear::in_fp32(const Weights& weights, const at::Tensor& x) const {
    return computed(x, view(weights, weight_), bias(weights), true);
}

}    // namespace blip
