// See leaf_gradient.h.
#include "src/model/leaf_gradient.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include "blip/kernels/column_sums.h"

namespace blip {

bool wants_gradient(const at::Tensor& x) { return c10::GradMode::is_enabled() && x.requires_grad(); }

at::Tensor gradient_to_add_to(const at::Tensor& leaf) {
    at::Tensor& gradient = leaf.mutable_grad();
    if (!gradient.defined()) gradient = at::zeros(leaf.sizes(), leaf.options().dtype(at::kFloat).requires_grad(false));
    return gradient;
}

void add_product_gradient(const at::Tensor& leaf, const at::Tensor& of_rows_RO, const at::Tensor& x_RI) {
    const at::Tensor rows_OR = of_rows_RO.t();
    at::Tensor& gradient = leaf.mutable_grad();
    if (!gradient.defined()) {
        gradient = at::mm(rows_OR, x_RI).view(leaf.sizes());
        return;
    }
    at::Tensor sum_OI = gradient.view({rows_OR.size(0), x_RI.size(1)});
    if (sum_OI.scalar_type() == x_RI.scalar_type())
        sum_OI.addmm_(rows_OR, x_RI);
    else if (sum_OI.is_cuda())
        at::addmm_out(sum_OI, sum_OI, rows_OR, x_RI, sum_OI.scalar_type());
    else
        sum_OI.add_(at::mm(rows_OR, x_RI));
}

void add_row_sum_gradient(const at::Tensor& leaf, const at::Tensor& of_rows_RO) {
    at::Tensor& gradient = leaf.mutable_grad();
    if (of_rows_RO.is_cuda())
        add_column_sums(of_rows_RO.contiguous(), gradient_to_add_to(leaf));
    else if (gradient.defined())
        gradient.add_(at::sum(of_rows_RO, {0}));
    else
        gradient = at::sum(of_rows_RO, {0});
}

}    // namespace blip
