// See product.h.
#include "blip/device/product.h"

#include <ATen/Context.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/linear.h>
#include <c10/core/GradMode.h>

#include <optional>
#include <string_view>

namespace blip {

namespace {

// By what was measured, per thread: oneDNN's product takes some 10 us more to be called than MKL's, a thirtieth of so
// many multiplications. Of few rows, as beams are, MKL multiplies each by itself, and reads the weight as often.
bool is_faster_by_onednn(const at::Tensor& x, const at::Tensor& weight_OI) {
    const std::int64_t weights = weight_OI.numel(), multiplications = x.numel() * weight_OI.size(0);
    const bool few_rows = multiplications > weights && multiplications <= 16 * weights;
    return multiplications >= 1 << 24 || (few_rows && weights >= 1 << 18);
}

using OneDnnLinear = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
                                std::string_view, c10::List<std::optional<at::Scalar>>,
                                std::optional<std::string_view>);

// LibTorch gives oneDNN's product on ordinary tensors to its own compiler's programs only, by this name.
const std::optional<c10::TypedOperatorHandle<OneDnnLinear>>& onednn_linear() {
    static const auto found = []() -> std::optional<c10::TypedOperatorHandle<OneDnnLinear>> {
        const auto schema = c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
        if (!at::globalContext().userEnabledMkldnn() || !schema) return std::nullopt;
        return schema->typed<OneDnnLinear>();
    }();
    return found;
}

}    // namespace

at::Tensor linear_product(const at::Tensor& x, const at::Tensor& weight_OI, const at::Tensor& bias) {
    const bool recorded = c10::GradMode::is_enabled() &&
                          (x.requires_grad() || weight_OI.requires_grad() || (bias.defined() && bias.requires_grad()));
    if (recorded || !x.is_cpu() || x.scalar_type() != at::kFloat || !is_faster_by_onednn(x, weight_OI) ||
        !onednn_linear())
        return at::linear(x, weight_OI, bias);
    const c10::List<std::optional<at::Scalar>> no_scalars;
    return onednn_linear()->call(x, weight_OI, bias.defined() ? std::optional(bias) : std::nullopt, "none", no_scalars,
                                 "");
}

}    // namespace blip
