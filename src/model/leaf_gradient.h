// Gradients that a backward pass adds to a leaf by itself instead of handing them to autograd: for products that add
// up into what is there already. The function whose backward does so takes the leaf as an input and returns no gradient
// for it: autograd then runs the leaf's post-accumulate hook all the same, once, behind that function. Internal to the
// model layer.
#pragma once

#include <ATen/core/Tensor.h>

namespace blip {

// Whether a gradient is to be had for x now: it requires one, and a graph is being recorded.
bool wants_gradient(const at::Tensor& x);

// The leaf's gradient, zeros in fp32 where it has none so far: for kernels that add to it.
at::Tensor gradient_to_add_to(const at::Tensor& leaf);

// Adds of_rows_RO^T x_RI to the gradient of leaf [O, ...], whose elements are [O, I]; a leaf without a gradient gets
// this one. fp32 leaves: the product adds up in place. bf16 leaves with an fp32 gradient: on a GPU likewise, in fp32 to
// the end; on the CPU the product is rounded to bf16, as autograd does it.
void add_product_gradient(const at::Tensor& leaf, const at::Tensor& of_rows_RO, const at::Tensor& x_RI);
// Adds the sum over rows of of_rows_RO to the gradient of leaf [O], likewise.
void add_row_sum_gradient(const at::Tensor& leaf, const at::Tensor& of_rows_RO);

}    // namespace blip
