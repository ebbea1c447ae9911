// Products of bf16 with results in fp32 on the pretended device: operators that LibTorch has for CUDA only. Their
// refusals are those of native/cuda/Blas.cpp.
#include <ATen/ops/addmm.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <torch/library.h>

#include "tests/fake_cuda/fake_cuda.h"
#include "tests/fake_cuda/operators.h"
#include "tests/fake_cuda/record.h"
#include "tests/fake_cuda/rules.h"

namespace blip::fake_cuda {
namespace {

using at::Tensor;

void check(const Tensor& left, const Tensor& right, at::ScalarType type, const Tensor& out) {
    TORCH_CHECK(left.scalar_type() == right.scalar_type(), "mat1 and mat2 must have the same dtype");
    const bool half = left.scalar_type() == at::kBFloat16 || left.scalar_type() == at::kHalf;
    TORCH_CHECK(type == left.scalar_type() || (type == at::kFloat && half),
                "out_dtype must be the same as input dtype or fp32 for fp16/bf16 inputs");
    TORCH_CHECK(type == out.scalar_type(), "out_dtype must be the same as the dtype of the provided out tensor");
}

// added: undefined, or what the product is added to; it may be out.
void multiply(const char* name, const Tensor& added, const Tensor& left, const Tensor& right, at::ScalarType type,
              const at::Scalar& beta, const at::Scalar& alpha, Tensor& out) {
    check(left, right, type, out);
    for (const Tensor& tensor : {added, left, right}) touch(tensor, false, name);
    touch(out, true, name);
    std::vector<Operand> operands;
    if (added.defined()) operands.push_back(operand_of(added, false));
    for (const Tensor& tensor : {left, right}) operands.push_back(operand_of(tensor, false));
    operands.push_back(operand_of(out, true));
    ran(name, std::move(operands));
    if (!computing()) return;
    const Tensor a = on_host(left).to(at::kFloat), b = on_host(right).to(at::kFloat);
    Tensor result = a.dim() == 3 ? at::bmm(a, b) : at::mm(a, b);
    if (added.defined()) result = on_host(added).to(at::kFloat) * beta + result * alpha;
    on_host(out).copy_(result);
}

Tensor& mm_out(const Tensor& left, const Tensor& right, at::ScalarType type, Tensor& out) {
    check_rules("aten::mm", {left, right});
    multiply("aten::mm.dtype_out", {}, left, right, type, 1, 1, out);
    return out;
}
Tensor mm(const Tensor& left, const Tensor& right, at::ScalarType type) {
    Tensor out = at::empty({left.size(0), right.size(1)}, left.options().dtype(type));
    return mm_out(left, right, type, out);
}

Tensor& bmm_out(const Tensor& left, const Tensor& right, at::ScalarType type, Tensor& out) {
    check_rules("aten::bmm", {left, right});
    multiply("aten::bmm.dtype_out", {}, left, right, type, 1, 1, out);
    return out;
}
Tensor bmm(const Tensor& left, const Tensor& right, at::ScalarType type) {
    Tensor out = at::empty({left.size(0), left.size(1), right.size(2)}, left.options().dtype(type));
    return bmm_out(left, right, type, out);
}

Tensor& addmm_out(const Tensor& added, const Tensor& left, const Tensor& right, at::ScalarType type,
                  const at::Scalar& beta, const at::Scalar& alpha, Tensor& out) {
    TORCH_CHECK(added.scalar_type() == type || added.scalar_type() == left.scalar_type(),
                "self dtype must match either out_dtype or mat1 dtype");
    check_rules("aten::addmm", {added, left, right});
    multiply("aten::addmm.dtype_out", added, left, right, type, beta, alpha, out);
    return out;
}
Tensor addmm(const Tensor& added, const Tensor& left, const Tensor& right, at::ScalarType type, const at::Scalar& beta,
             const at::Scalar& alpha) {
    Tensor out = at::empty({left.size(0), right.size(1)}, left.options().dtype(type));
    return addmm_out(added, left, right, type, beta, alpha, out);
}

TORCH_LIBRARY_IMPL(aten, CUDA, library) {
    library.impl("mm.dtype", TORCH_FN(mm));
    library.impl("mm.dtype_out", TORCH_FN(mm_out));
    library.impl("bmm.dtype", TORCH_FN(bmm));
    library.impl("bmm.dtype_out", TORCH_FN(bmm_out));
    library.impl("addmm.dtype", TORCH_FN(addmm));
    library.impl("addmm.dtype_out", TORCH_FN(addmm_out));
}

}    // namespace
}    // namespace blip::fake_cuda
