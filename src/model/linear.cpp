// Linear: see layers.h. Its backward pass adds weight and bias gradients straight into the leaves' gradients: the
// product's own addition saves a pass over each.
#include <ATen/ops/addmm.h>
#include <ATen/ops/linear.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>

#include "blip/device/product.h"
#include "blip/kernels/column_sums.h"
#include "blip/model/layers.h"
#include "src/model/fused.h"
#include "src/model/leaf_gradient.h"

namespace blip {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// weight: its rows flattened are [out, in]; bias may be undefined. On a GPU fp32 sums of bf16 products need not be
// rounded on the way.
at::Tensor product(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool fp32) {
    const at::Tensor weight_OI = weight.detach().flatten(1);
    if (!fp32 || weight.scalar_type() == at::kFloat) return linear_product(x, weight_OI, bias);
    if (!weight.is_cuda()) return at::linear(x, weight_OI, bias).to(at::kFloat);
    const at::Tensor rows_RI = x.reshape({-1, weight_OI.size(1)});
    // Not with the bias as an addend of one dimension: with it, LibTorch's product of such types was wrong at times.
    at::Tensor y_RO = bias.to(at::kFloat).expand({rows_RI.size(0), weight_OI.size(0)}).contiguous();
    at::addmm_out(y_RO, y_RO, rows_RI, weight_OI.t(), at::kFloat);
    std::vector<std::int64_t> shape = x.sizes().vec();
    shape.back() = weight_OI.size(0);
    return y_RO.view(shape);
}

// The gradient of x where there is to be one; that of weight is added where it is.
at::Tensor product_gradients(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                             const at::Tensor& of_rows_RO) {
    const at::Tensor weight_OI = weight.detach().flatten(1);
    at::Tensor of_x;
    if (context->needs_input_grad(0)) of_x = linear_product(of_rows_RO, weight_OI.t()).view(x.sizes());
    add_product_gradient(weight, of_rows_RO, x.detach().reshape({-1, weight_OI.size(1)}));
    return of_x;
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
        const at::Tensor of_rows_RO = gradients[0].to(weight.scalar_type()).reshape({-1, weight.size(0)});
        const at::Tensor of_x = product_gradients(context, x, weight, of_rows_RO);
        if (bias.defined()) add_row_sum_gradient(bias, of_rows_RO);
        return {of_x, at::Tensor(), at::Tensor(), at::Tensor()};
    }
};

// Autograd gets no gradients for the leaves weight and bias here either.
struct LinearByHead : torch::autograd::Function<LinearByHead> {
    static variable_list forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                                 const at::Tensor& bias, std::int64_t parts, std::int64_t heads, bool copied) {
        context->save_for_backward({x, weight, bias});
        const at::Tensor y_BTO = product(x, weight, bias, false);
        const at::Tensor parts_PBhTd =
            y_BTO.view({y_BTO.size(0), y_BTO.size(1), parts, heads, -1}).permute({2, 0, 3, 1, 4});
        return (copied ? parts_PBhTd.contiguous() : parts_PBhTd).unbind(0);
    }
    static variable_list backward(AutogradContext* context, const variable_list& gradients_BhTd) {
        const variable_list saved = context->get_saved_variables();
        const at::Tensor &x = saved[0], &weight = saved[1], &bias = saved[2];
        const at::Tensor of_rows_RO = stacked_heads(gradients_BhTd, gradient_to_add_to(bias)).flatten(0, 1);
        const at::Tensor of_x = product_gradients(context, x, weight, of_rows_RO);
        return {of_x, at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
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

std::vector<at::Tensor> fused_by_head(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                                      std::int64_t parts, std::int64_t heads, HeadMemory memory) {
    return LinearByHead::apply(x, weight, bias, parts, heads, memory == HeadMemory::own);
}

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

std::vector<at::Tensor> Linear::by_head(const Weights& weights, const at::Tensor& x, std::int64_t parts,
                                        std::int64_t heads, HeadMemory memory) const {
    const at::Tensor& weight = view(weights, weight_);
    if (x.is_cuda() && wants_gradient(weight)) return fused_by_head(x, weight, bias(weights), parts, heads, memory);
    const at::Tensor y_BTO = (*this)(weights, x);
    if (memory == HeadMemory::own) return parts_by_head(y_BTO, parts, heads);
    // unbind, not selections: its backward puts the gradients together without zeros and sums.
    std::vector<at::Tensor> of_parts = y_BTO.view({y_BTO.size(0), y_BTO.size(1), parts, heads, -1}).unbind(2);
    for (at::Tensor& part : of_parts) part = part.transpose(1, 2);
    return of_parts;
}

at::Tensor Linear::in_fp32(const Weights& weights, const at::Tensor& x) const {
    return computed(x, view(weights, weight_), bias(weights), true);
}

}    // namespace blip
