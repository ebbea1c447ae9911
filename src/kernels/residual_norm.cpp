// See residual_norm.h.
#include "blip/kernels/residual_norm.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include "src/kernels/add_chunks.h"

namespace blip {
namespace {

BranchFactors factors_of(const BranchScaling& scaling, const at::Tensor& x) {
    const std::int64_t rows = x.numel() / x.size(-1);
    BranchFactors factors;
    factors.dropout = site_of(scaling.dropout, x);
    if (scaling.picture_scales_I.defined()) {
        const std::int64_t pictures = scaling.picture_scales_I.numel();
        if (pictures == 0 || rows % pictures != 0)
            throw Error(ExitCode::internal, "scales of {} pictures for {} rows", pictures, rows);
        factors.picture_scales = read_from<float>(scaling.picture_scales_I, pictures);
        factors.rows_of_a_picture = rows / pictures;
    }
    return factors;
}

}    // namespace

NormedSum residual_norm(const at::Tensor& x, const at::Tensor& bias, const at::Tensor& residual,
                        const at::Tensor& gamma, const at::Tensor& beta, double epsilon, const BranchScaling& scaling) {
    const std::int64_t values = x.numel(), width = x.size(-1), rows = values / width;
    const auto of_rows = [&] { return at::empty({rows}, x.options().dtype(at::kFloat)); };
    NormedSum normed{at::empty_like(x), at::empty_like(x), of_rows(), of_rows()};
    with_type_of(x, [&]<class Value>(Value) {
        run(NormForwardBody<Value>{read_from<Value>(x, values), read_from<Value>(residual, values),
                                   read_from<Value>(bias, width), read_from<Value>(gamma, width),
                                   read_from<Value>(beta, width), write_to<Value>(normed.sum, values),
                                   write_to<Value>(normed.y, values), write_to<float>(normed.mean, rows),
                                   write_to<float>(normed.inverse_std, rows), factors_of(scaling, x),
                                   static_cast<float>(epsilon), rows, width},
            x);
    });
    return normed;
}

NormGradients residual_norm_backward(const at::Tensor& dy, const at::Tensor& dsum, const NormedSum& forward,
                                     const at::Tensor& gamma, const BranchScaling& scaling,
                                     const NormGradientSums& into) {
    const std::int64_t values = dy.numel(), width = dy.size(-1), rows = values / width;
    const Chunks chunks = Chunks::of(rows, width, Chunks::most_by_blocks);
    const bool scales = scaling.dropout.probability > 0 || scaling.picture_scales_I.defined();
    NormGradients gradients{at::empty_like(dy), {}};
    if (scales) gradients.x = at::empty_like(dy);
    const at::Tensor partial = partial_sums(dy, chunks, 3);
    with_type_of(dy, [&]<class Value>(Value) {
        const auto of = [&](auto body) {
            body.dy = read_from<Value>(dy, values);
            body.dsum = read_from<Value>(dsum, values);
            body.sum = read_from<Value>(forward.sum, values);
            body.gamma = read_from<Value>(gamma, width);
            body.mean = read_from<float>(forward.mean, rows);
            body.inverse_std = read_from<float>(forward.inverse_std, rows);
            body.dresidual = write_to<Value>(gradients.residual, values);
            body.dx = write_to<Value>(gradients.x, values);
            body.partial = write_to<float>(partial, partial.numel());
            body.factors = factors_of(scaling, dy);
            body.chunks = chunks;
            run(body, dy);
        };
        if (scaling.dropout.probability > 0)
            of(NormDropBackward<Value>{});
        else
            of(NormBackward<Value>{});
    });
    if (!scales) gradients.x = gradients.residual;
    add_chunks(partial, chunks, {into.gamma, into.beta, into.bias});
    return gradients;
}

}    // namespace blip
