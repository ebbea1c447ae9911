// See leaf_gradient.h.
#include "src/model/leaf_gradient.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/sum.h>
#include <c10/core/GradMode.h>

namespace blip {

bool wants_gradient(const at::Tensor& leaf) { return c10::GradMode::is_enabled() && leaf.requires_grad(); }

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
    // GPUs sum up in the precision of the result without a copy of the rows in it, the CPU does not.
    if (gradient.defined() && gradient.is_cuda())
        gradient.add_(at::sum(of_rows_RO, {0}, false, gradient.scalar_type()));
    else if (gradient.defined())
        gradient.add_(at::sum(of_rows_RO, {0}));
    else
        gradient = at::sum(of_rows_RO, {0});
}

}    // namespace blip
