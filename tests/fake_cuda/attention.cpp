// Scaled dot product attention on the pretended device: chosen as CUDA's dispatch chooses, computed by the CPU's flash
// kernel. See rules.h.
#include <ATen/native/transformers/attention.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu_backward.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include "tests/fake_cuda/fake_cuda.h"
#include "tests/fake_cuda/operators.h"
#include "tests/fake_cuda/record.h"
#include "tests/fake_cuda/rules.h"

namespace blip::fake_cuda {
namespace {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;

struct Result {
    Tensor output, logsumexp;
};

Tensor scalar_on(const Tensor& like) {
    return at::empty({}, at::TensorOptions().dtype(at::kLong).device(like.device()));
}

// [B, h, T, d] in memory as [B, T, h, d]: as the CPU's kernel and CUDA's give it.
Tensor token_major(std::int64_t batch, std::int64_t heads, std::int64_t tokens, std::int64_t width,
                   const Tensor& like) {
    return at::empty({batch, tokens, heads, width}, like.options()).transpose(1, 2);
}

Result forward(const char* name, const Tensor& q, const Tensor& k, const Tensor& v, double dropout, bool causal,
               std::optional<double> scale) {
    TORCH_CHECK(dropout == 0, "attention with dropout is not pretended");
    for (const Tensor& tensor : {q, k, v}) touch(tensor, false, name);
    Result result;
    if (computing()) {
        const auto [output, logsumexp] =
            at::_scaled_dot_product_flash_attention_for_cpu(on_host(q), on_host(k), on_host(v), 0.0, causal, {}, scale);
        result = {on_device(output, q.device().index(), name), on_device(logsumexp, q.device().index(), name)};
    } else {
        const Tensor logsumexp = at::empty({q.size(0), q.size(2), q.size(1)}, q.options().dtype(at::kFloat));
        result = {token_major(q.size(0), q.size(1), q.size(2), v.size(3), q), logsumexp.transpose(1, 2)};
        touch(result.output, true, name);
        touch(result.logsumexp, true, name);
    }
    ran(name, {operand_of(q, false), operand_of(k, false), operand_of(v, false), operand_of(result.output, true),
               operand_of(result.logsumexp, true)});
    return result;
}

std::tuple<Tensor, Tensor, Tensor> backward(const char* name, const Tensor& grad, const Tensor& q, const Tensor& k,
                                            const Tensor& v, const Tensor& out, const Tensor& logsumexp, bool causal,
                                            std::optional<double> scale) {
    for (const Tensor& tensor : {grad, q, k, v, out, logsumexp}) touch(tensor, false, name);
    Tensor to_q, to_k, to_v;
    if (computing()) {
        const auto [dq, dk, dv] = at::_scaled_dot_product_flash_attention_for_cpu_backward(
            on_host(grad), on_host(q), on_host(k), on_host(v), on_host(out), on_host(logsumexp), 0.0, causal, {},
            scale);
        const auto device = q.device().index();
        to_q = on_device(dq, device, name);
        to_k = on_device(dk, device, name);
        to_v = on_device(dv, device, name);
    } else {
        const auto like = [&](const Tensor& x) { return token_major(x.size(0), x.size(1), x.size(2), x.size(3), x); };
        to_q = like(q);
        to_k = like(k);
        to_v = like(v);
        for (const Tensor& tensor : {to_q, to_k, to_v}) touch(tensor, true, name);
    }
    ran(name, {operand_of(grad, false), operand_of(q, false), operand_of(k, false), operand_of(v, false),
               operand_of(out, false), operand_of(to_q, true), operand_of(to_k, true), operand_of(to_v, true)});
    return {to_q, to_k, to_v};
}

// scaled_dot_product_attention asks this table, the operator the dispatcher.
std::int64_t choose(const Tensor& q, const Tensor& k, const Tensor&, const OptionalTensor& mask, double dropout, bool,
                    std::optional<double>, bool) {
    TORCH_CHECK(!mask, "attention with a mask is not pretended");
    return chosen_attention(q, k, dropout);
}

std::tuple<Tensor, Tensor, Tensor, Tensor, c10::SymInt, c10::SymInt, Tensor, Tensor, Tensor> flash(
    const Tensor& q, const Tensor& k, const Tensor& v, double dropout, bool causal, bool, std::optional<double> scale) {
    const Result r = forward("aten::_scaled_dot_product_flash_attention", q, k, v, dropout, causal, scale);
    return {r.output, r.logsumexp, Tensor(), Tensor(), q.size(2), k.size(2), scalar_on(q), scalar_on(q), Tensor()};
}
std::tuple<Tensor, Tensor, Tensor> flash_backward(const Tensor& grad, const Tensor& q, const Tensor& k, const Tensor& v,
                                                  const Tensor& out, const Tensor& logsumexp, const Tensor&,
                                                  const Tensor&, c10::SymInt, c10::SymInt, double, bool causal,
                                                  const Tensor&, const Tensor&, std::optional<double> scale) {
    return backward("aten::_scaled_dot_product_flash_attention_backward", grad, q, k, v, out, logsumexp, causal, scale);
}

std::tuple<Tensor, Tensor, Tensor, Tensor, c10::SymInt, c10::SymInt, Tensor, Tensor, Tensor> cudnn(
    const Tensor& q, const Tensor& k, const Tensor& v, const OptionalTensor&, bool, double dropout, bool causal, bool,
    std::optional<double> scale) {
    const Result r = forward("aten::_scaled_dot_product_cudnn_attention", q, k, v, dropout, causal, scale);
    return {r.output, r.logsumexp, Tensor(), Tensor(), q.size(2), k.size(2), scalar_on(q), scalar_on(q), Tensor()};
}
std::tuple<Tensor, Tensor, Tensor> cudnn_backward(const Tensor& grad, const Tensor& q, const Tensor& k, const Tensor& v,
                                                  const Tensor& out, const Tensor& logsumexp, const Tensor&,
                                                  const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                                                  c10::SymInt, c10::SymInt, double, bool causal,
                                                  std::optional<double> scale) {
    return backward("aten::_scaled_dot_product_cudnn_attention_backward", grad, q, k, v, out, logsumexp, causal, scale);
}

std::tuple<Tensor, Tensor, Tensor, Tensor> efficient(const Tensor& q, const Tensor& k, const Tensor& v,
                                                     const OptionalTensor&, bool, double dropout, bool causal,
                                                     std::optional<double> scale) {
    const Result r = forward("aten::_scaled_dot_product_efficient_attention", q, k, v, dropout, causal, scale);
    return {r.output, r.logsumexp, scalar_on(q), scalar_on(q)};
}
std::tuple<Tensor, Tensor, Tensor, Tensor> efficient_backward(const Tensor& grad, const Tensor& q, const Tensor& k,
                                                              const Tensor& v, const Tensor&, const Tensor& out,
                                                              const Tensor& logsumexp, const Tensor&, const Tensor&,
                                                              double, std::array<bool, 4>, bool causal,
                                                              std::optional<double> scale) {
    const auto [dq, dk, dv] = backward("aten::_scaled_dot_product_efficient_attention_backward", grad, q, k, v, out,
                                       logsumexp, causal, scale);
    return {dq, dk, dv, Tensor()};
}

const bool chooses = [] {
    at::native::_fused_sdp_choice_stub.set_cuda_dispatch_ptr(&choose);
    return true;
}();

TORCH_LIBRARY_IMPL(aten, CUDA, library) {
    library.impl("_fused_sdp_choice", TORCH_FN(choose));
    library.impl("_scaled_dot_product_flash_attention", TORCH_FN(flash));
    library.impl("_scaled_dot_product_flash_attention_backward", TORCH_FN(flash_backward));
    library.impl("_scaled_dot_product_cudnn_attention", TORCH_FN(cudnn));
    library.impl("_scaled_dot_product_cudnn_attention_backward", TORCH_FN(cudnn_backward));
    library.impl("_scaled_dot_product_efficient_attention", TORCH_FN(efficient));
    library.impl("_scaled_dot_product_efficient_attention_backward", TORCH_FN(efficient_backward));
}

}    // namespace
}    // namespace blip::fake_cuda
