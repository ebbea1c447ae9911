// See training_samples.h. A draw is a race (Gumbel 1954, in its exponential form): the token with the highest share /
// exponential random number wins with the probability of its share. First among groups of tokens, then within the group
// that won, so that a draw takes 350 random numbers instead of 30,524. Rounding decides it only where the two best are
// equal within rounding; the places of a sum of shares, on which a single random number would fall, move with the
// rounding of all the shares before it.
#include "blip/generate/training_samples.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "blip/base/error.h"
#include "blip/base/random.h"
#include "blip/device/device.h"

namespace blip {

namespace {

// Words in groups, about as many groups as words in one: M and K, M * K >= V.
struct WordGroups {
    std::int64_t words, groups, of_group;

    explicit WordGroups(std::int64_t vocabulary)
        : words(vocabulary),
          groups(static_cast<std::int64_t>(std::ceil(std::sqrt(static_cast<double>(vocabulary))))),
          of_group((vocabulary + groups - 1) / groups) {}
    std::int64_t numbers() const { return groups + of_group; }    // for one draw
};

// Exponential random numbers of the rows' streams, a position after the other. Greedy rows have none.
class Races {
  public:
    Races(const SamplePlan& plan, std::int64_t numbers) : plan_(plan), numbers_(numbers) {
        for (const std::uint64_t key : plan.keys) streams_.emplace_back(key);
    }
    // Of the next position, fp32 [R, numbers].
    at::Tensor next(c10::Device device) {
        const std::int64_t of_one = plan_.samples + (plan_.greedy ? 1 : 0);
        const std::int64_t rows = static_cast<std::int64_t>(streams_.size()) / plan_.samples * of_one;
        const at::Tensor host = staging_tensor({rows, numbers_}, at::kFloat, device);
        auto* values = static_cast<float*>(host.mutable_data_ptr());
        // By all threads: a GPU would wait for one. Each row has a stream of its own.
        at::parallel_for(0, rows, 16, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t row = begin; row < end; ++row) {
                float* value = values + row * numbers_;
                if (row % of_one == plan_.samples) {
                    std::fill_n(value, numbers_, 1.0F);
                    continue;
                }
                RandomStream& stream = streams_[static_cast<std::size_t>(row / of_one * plan_.samples + row % of_one)];
                for (std::int64_t i = 0; i < numbers_; ++i) {
                    const double uniform = (stream.next_u32() + 0.5) * 0x1p-32;    // never 0
                    *value++ = static_cast<float>(-std::log(uniform));
                }
            }
        });
        return to_device(host, device);
    }

  private:
    const SamplePlan& plan_;
    std::int64_t numbers_;
    std::vector<RandomStream> streams_;
};

at::Tensor drawn(const at::Tensor& logits_RV, const at::Tensor& races_RN, const WordGroups& sizes) {
    const std::int64_t rows = logits_RV.size(0);
    const at::Tensor shares_RV = at::softmax(logits_RV, -1);
    const at::Tensor shares_RMK =
        at::constant_pad_nd(shares_RV, {0, sizes.groups * sizes.of_group - sizes.words}).view({rows, sizes.groups, -1});
    const at::Tensor group_R = at::argmax(shares_RMK.sum(2) / races_RN.narrow(1, 0, sizes.groups), 1);
    const at::Tensor shares_RK =
        shares_RMK.gather(1, group_R.view({rows, 1, 1}).expand({rows, 1, sizes.of_group})).squeeze(1);
    const at::Tensor place_R = at::argmax(shares_RK / races_RN.narrow(1, sizes.groups, sizes.of_group), 1);
    // no more than V: behind it only where the logits are no numbers, which the loss then shows
    return (group_R * sizes.of_group + place_R).clamp_max_(sizes.words - 1);
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
    const WordGroups sizes(logits_RV.size(1));
    Races races(plan, sizes.numbers());
    std::vector<std::int64_t> rows(static_cast<std::size_t>(prompts * of_one));
    std::iota(rows.begin(), rows.end(), 0);
    const at::Tensor rows_R = to_device(rows, {prompts * of_one}, device);
    const at::Tensor greedy_R = rows_R.remainder(of_one) == plan.samples;
    at::Tensor done_R = at::zeros({prompts * of_one}, at::device(device).dtype(at::kBool));
    std::vector<at::Tensor> columns = {prompts_BP.to(device).repeat_interleave(of_one, 0)};
    for (std::int64_t t = 0; t < count; ++t) {
        if (t > 0) logits_RV = model.advance(columns.back().squeeze(1), t == 1 ? rows_R.div(of_one, "floor") : rows_R);
        at::Tensor next_R = drawn(logits_RV, races.next(device), sizes);
        if (plan.greedy) next_R = at::where(greedy_R, at::argmax(logits_RV, -1), next_R);
        next_R = next_R.masked_fill(done_R, special.pad);
        columns.push_back(next_R.unsqueeze(1));
        done_R = done_R.bitwise_or(next_R == special.end);
        if (device.is_cpu() && *static_cast<const bool*>(done_R.all().const_data_ptr())) break;
    }
    return at::cat(columns, 1);
}

}    // namespace blip
