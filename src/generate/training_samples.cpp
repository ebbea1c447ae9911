// See training_samples.h.
#include "blip/generate/training_samples.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/floor.h>
#include <ATen/ops/searchsorted.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include "blip/base/error.h"
#include "blip/base/random.h"
#include "blip/device/device.h"

namespace blip {

namespace {

// Of each row, position by position: fp64 [R, count]. Greedy rows have zeros.
at::Tensor uniforms_of(const SamplePlan& plan, std::int64_t count, c10::Device device) {
    const std::int64_t of_one = plan.samples + (plan.greedy ? 1 : 0);
    const std::int64_t rows = static_cast<std::int64_t>(plan.keys.size()) / plan.samples * of_one;
    const at::Tensor host = staging_tensor({rows, count}, at::kDouble, device);
    auto* value = static_cast<double*>(host.mutable_data_ptr());
    std::size_t key = 0;
    for (std::int64_t row = 0; row < rows; ++row) {
        const bool greedy = row % of_one == plan.samples;
        RandomStream stream(greedy ? 0 : plan.keys[key++]);
        for (std::int64_t t = 0; t < count; ++t) *value++ = greedy ? 0 : stream.uniform();
    }
    return to_device(host, device);
}

at::Tensor drawn(const at::Tensor& logits_RV, const at::Tensor& uniforms_R) {
    constexpr double one = 0x1p40;
    const at::Tensor shares_RV = at::softmax(logits_RV, -1).mul_(one).to(at::kLong);
    const at::Tensor sums_RV = shares_RV.cumsum(1);
    const at::Tensor total_R1 = sums_RV.narrow(1, logits_RV.size(1) - 1, 1);
    const at::Tensor wanted_R1 = at::floor(total_R1 * uniforms_R.unsqueeze(1)).to(at::kLong);
    // the first whose sum is more; none is where the logits are no numbers, which the loss then shows
    return at::searchsorted(sums_RV, wanted_R1, false, /*right=*/true).clamp_max_(logits_RV.size(1) - 1).squeeze(1);
}

}    // namespace

at::Tensor draw_samples(NextTokenModel& model, const at::Tensor& prompts_BP, const SamplePlan& plan,
                        const SearchTokens& special) {
    const c10::AutoGradMode no_gradients(false);
    const std::int64_t prompts = prompts_BP.size(0), of_one = plan.samples + (plan.greedy ? 1 : 0);
    const std::int64_t count = plan.longest - prompts_BP.size(1);
    if (count < 1 || static_cast<std::int64_t>(plan.keys.size()) != prompts * plan.samples)
        throw Error(ExitCode::internal, "samples of {} prompts: {} keys, {} tokens to draw", prompts, plan.keys.size(),
                    count);
    model.expect_length(plan.longest);
    at::Tensor logits_RV = model.start(prompts_BP).repeat_interleave(of_one, 0);
    const c10::Device device = logits_RV.device();
    const at::Tensor uniforms_RG = uniforms_of(plan, count, device);
    const at::Tensor rows_R = at::arange(prompts * of_one, at::device(device).dtype(at::kLong));
    const at::Tensor greedy_R = rows_R.remainder(of_one) == plan.samples;
    at::Tensor done_R = at::zeros({prompts * of_one}, at::device(device).dtype(at::kBool));
    std::vector<at::Tensor> columns = {prompts_BP.to(device).repeat_interleave(of_one, 0)};
    for (std::int64_t t = 0; t < count; ++t) {
        if (t > 0) logits_RV = model.advance(columns.back().squeeze(1), t == 1 ? rows_R.div(of_one, "floor") : rows_R);
        at::Tensor next_R = drawn(logits_RV, uniforms_RG.select(1, t));
        if (plan.greedy) next_R = at::where(greedy_R, at::argmax(logits_RV, -1), next_R);
        next_R = next_R.masked_fill(done_R, special.pad);
        columns.push_back(next_R.unsqueeze(1));
        done_R = done_R.logical_or(next_R == special.end);
        if (device.is_cpu() && *static_cast<const bool*>(done_R.all().const_data_ptr())) break;
    }
    return at::cat(columns, 1);
}

}    // namespace blip
