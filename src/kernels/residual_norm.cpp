// See residual_norm.h.
#include "blip/kernels/residual_norm.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include "src/kernels/add_chunks.h"

namespace blip {
namespace {

BranchFactors factors_of(const BranchScaling& scaling, std::int64_t rows) {
    BranchFactors factors;
    factors.dropout = site_of(scaling.dropout);
    if (scaling.picture_scales_I.defined()) {
        factors.picture_scales = read_from<float>(scaling.picture_scales_I);
        factors.rows_of_a_picture = rows / scaling.picture_scales_I.numel();
    }
    return factors;
}

}    // namespace

NormedSum residual_norm(const at::Tensor& x, const at::Tensor& bias, const at::Tensor& residual,
                        const at::Tensor& gamma, const at::Tensor& beta, double epsilon, const BranchScaling& scaling) {
    const std::int64_t width = x.size(-1), rows = x.numel() / width;
    const auto of_rows = [&] { return at::empty({rows}, x.options().dtype(at::kFloat)); };
    NormedSum normed{at::empty_like(x), at::empty_like(x), of_rows(), of_rows()};
    with_type_of(x, [&]<class Value>(Value) {
        run(NormForwardBody<Value>{read_from<Value>(x), read_from<Value>(residual), read_from<Value>(bias),
                                   read_from<Value>(gamma), read_from<Value>(beta), write_to<Value>(normed.sum),
                                   write_to<Value>(normed.y), write_to<float>(normed.mean),
                                   write_to<float>(normed.inverse_std), factors_of(scaling, rows),
                                   static_cast<float>(epsilon), rows, width},
            x);
    });
    return normed;
}

NormGradients residual_norm_backward(const at::Tensor& dy, const at::Tensor& dsum, const NormedSum& forward,
                                     const at::Tensor& gamma, const BranchScaling& scaling,
                                     const NormGradientSums& into) {
    const Chunks chunks = chunks_of(dy);
    const bool scales = scaling.dropout.probability > 0 || scaling.picture_scales_I.defined();
    NormGradients gradients{at::empty_like(dy), {}};
    if (scales) gradients.x = at::empty_like(dy);
    const at::Tensor partial = partial_sums(dy, chunks, 3);
    with_type_of(dy, [&]<class Value>(Value) {
        run(NormBackwardBody<Value>{read_from<Value>(dy), read_from<Value>(dsum), read_from<Value>(forward.sum),
                                    read_from<Value>(gamma), read_from<float>(forward.mean),
                                    read_from<float>(forward.inverse_std), write_to<Value>(gradients.residual),
                                    write_to<Value>(gradients.x), factors_of(scaling, chunks.rows), chunks.rows,
                                    chunks.width},
            dy);
        if (!scales) gradients.x = gradients.residual;
        run(NormColumnsBody<Value>{read_from<Value>(dy), read_from<Value>(forward.sum), read_from<Value>(gradients.x),
                                   read_from<float>(forward.mean), read_from<float>(forward.inverse_std),
                                   write_to<float>(partial), chunks},
            dy);
    });
    add_chunks(partial, chunks, {into.gamma, into.beta, into.bias});
    return gradients;
}

}    // namespace blip
