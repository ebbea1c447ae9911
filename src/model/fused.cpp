// See fused.h.
#include "src/model/fused.h"

#include <ATen/ops/zeros_like.h>

#include "blip/kernels/attention_probabilities.h"
#include "blip/kernels/column_sums.h"
#include "blip/kernels/kept.h"
#include "src/model/leaf_gradient.h"

namespace blip {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

struct ResidualNorm : Function<ResidualNorm> {
    static variable_list forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& bias,
                                 const at::Tensor& residual, const at::Tensor& gamma, const at::Tensor& beta,
                                 double epsilon, const BranchScaling& scaling) {
        const NormedSum made = residual_norm(x, bias, residual, gamma, beta, epsilon, scaling);
        context->set_materialize_grads(false);    // of the two outputs often only one is used
        context->save_for_backward(
            {made.sum, made.mean, made.inverse_std, bias, gamma, beta, scaling.picture_scales_I});
        keep(*context, "draw", scaling.dropout);
        return {made.sum, made.y};
    }
    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        const variable_list saved = context->get_saved_variables();
        const NormedSum made{saved[0], {}, saved[1], saved[2]};
        const at::Tensor dsum = gradients[0].defined() ? gradients[0].contiguous() : at::Tensor();
        const at::Tensor dy = gradients[1].defined() ? gradients[1].contiguous() : at::zeros_like(made.sum);
        const NormGradients found = residual_norm_backward(
            dy, dsum, made, saved[4], {kept<DropoutDraw>(*context, "draw"), saved[6]},
            {gradient_to_add_to(saved[4]), gradient_to_add_to(saved[5]), gradient_to_add_to(saved[3])});
        return {found.x, at::Tensor(), found.residual, at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
    }
};

struct BiasGelu : Function<BiasGelu> {
    static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& bias) {
        context->save_for_backward({x, bias});
        return bias_gelu(x, bias);
    }
    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        const variable_list saved = context->get_saved_variables();
        return {bias_gelu_backward(gradients[0].contiguous(), saved[0], saved[1], gradient_to_add_to(saved[1])),
                at::Tensor()};
    }
};

struct Probabilities : Function<Probabilities> {
    static at::Tensor forward(AutogradContext* context, const at::Tensor& scores, double scale, bool causal,
                              const DropoutDraw& dropout, std::int64_t real_keys) {
        const AttentionProbabilities made = attention_probabilities(scores, scale, causal, dropout, real_keys);
        context->saved_data["real_keys"] = real_keys;
        context->save_for_backward({made.whole});
        context->saved_data["scale"] = scale;
        keep(*context, "draw", dropout);
        return made.dropped;
    }
    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        const at::Tensor whole = context->get_saved_variables().front();
        return {attention_probabilities_backward(
                    gradients[0].contiguous(), whole, context->saved_data["scale"].toDouble(),
                    kept<DropoutDraw>(*context, "draw"), context->saved_data["real_keys"].toInt()),
                at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
    }
};

}    // namespace

BranchEnd fused_residual_norm(const at::Tensor& x, const at::Tensor& bias, const at::Tensor& residual,
                              const at::Tensor& gamma, const at::Tensor& beta, double epsilon,
                              const BranchScaling& scaling) {
    if (wants_gradient(gamma)) {
        const variable_list made = ResidualNorm::apply(x, bias, residual, gamma, beta, epsilon, scaling);
        return {made[0], made[1]};
    }
    const NormedSum made = residual_norm(x, bias, residual, gamma, beta, epsilon, scaling);
    return {made.sum, made.y};
}

at::Tensor fused_bias_gelu(const at::Tensor& x, const at::Tensor& bias) {
    return wants_gradient(bias) ? BiasGelu::apply(x, bias) : bias_gelu(x, bias);
}

at::Tensor fused_probabilities(const at::Tensor& scores, double scale, bool causal, const DropoutDraw& dropout,
                               std::int64_t real_keys) {
    if (wants_gradient(scores)) return Probabilities::apply(scores, scale, causal, dropout, real_keys);
    return attention_probabilities(scores, scale, causal, dropout, real_keys).dropped;
}

}    // namespace blip
