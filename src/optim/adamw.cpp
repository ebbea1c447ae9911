// See adamw.h. The update is LibTorch's fused kernel on one slice per bucket: the same bits however the arena is
// sliced.
#include "blip/optim/adamw.h"

#include <ATen/Parallel.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/narrow.h>
#include <ATen/ops/zeros.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <numeric>

#include "blip/base/error.h"

namespace blip {
namespace {

// Sum of squares in double. Chunks of fixed size are added in order, so that the number of threads changes no bit.
double square_sum(const at::Tensor& values) {
    constexpr std::int64_t kChunk = 1 << 16;
    constexpr std::size_t kLanes = 8;    // independent sums, so that an addition need not wait for the last
    const std::int64_t count = values.numel();
    const auto* data = static_cast<const float*>(values.const_data_ptr());
    std::vector<double> sums(static_cast<std::size_t>((count + kChunk - 1) / kChunk));
    at::parallel_for(0, static_cast<std::int64_t>(sums.size()), 4, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t chunk = first; chunk < last; ++chunk) {
            std::array<double, kLanes> lanes{};
            const std::int64_t end = std::min(count, (chunk + 1) * kChunk);
            std::int64_t i = chunk * kChunk;
            for (; i + static_cast<std::int64_t>(kLanes) <= end; i += kLanes) {
                for (std::size_t lane = 0; lane < kLanes; ++lane) {
                    const double value = data[i + static_cast<std::int64_t>(lane)];
                    lanes[lane] += value * value;
                }
            }
            for (; i < end; ++i) lanes[0] += static_cast<double>(data[i]) * data[i];
            sums[static_cast<std::size_t>(chunk)] = std::accumulate(lanes.begin(), lanes.end(), 0.0);
        }
    });
    return std::accumulate(sums.begin(), sums.end(), 0.0);
}

}    // namespace

ShardedAdamW::ShardedAdamW(Arena& arena, Communicator& communicator, const OptimOptions& options)
    : arena_(arena), communicator_(communicator), options_(options) {
    for (std::size_t bucket = 0; bucket < arena.buckets().size(); ++bucket) {
        const std::int64_t length = arena.shard(static_cast<int>(bucket), communicator.rank()).length();
        exp_avg_.push_back(at::zeros({length}, at::kFloat));
        exp_avg_sq_.push_back(at::zeros({length}, at::kFloat));
    }
    step_count_ = at::zeros({}, at::kFloat);
}

int ShardedAdamW::rank() const { return communicator_.rank(); }

ShardedAdamW::StepResult ShardedAdamW::step(GradReducer& reducer, double lr, bool skip) {
    const c10::impl::ExcludeDispatchKeyGuard no_autograd(c10::autograd_dispatch_keyset);
    StepResult result;
    if (!skip) set_update_count(update_count() + 1);
    std::vector<WorkPtr> gathering;
    for (std::size_t b = 0; b < exp_avg_.size(); ++b) {
        const int bucket = static_cast<int>(b);
        const at::Tensor gradient = reducer.reduced_shard(bucket);
        const double squares = square_sum(gradient);
        result.gradient_square_sum += squares;
        // squares of floats cannot overflow a double, so the sum is finite exactly when every element is
        const bool finite = std::isfinite(squares);
        if (!finite) result.non_finite = true;
        const Range own = arena_.shard(bucket, communicator_.rank());
        if (finite && !skip) {
            const at::Tensor weight = at::narrow(arena_.flat_weights(), 0, own.begin, own.length());
            at::_fused_adamw_({weight}, {gradient}, {exp_avg_[b]}, {exp_avg_sq_[b]}, {}, {step_count_}, lr,
                              options_.beta1, options_.beta2, options_.weight_decay, options_.eps, /*amsgrad=*/false,
                              /*maximize=*/false);
        }
        gathering.push_back(communicator_.start_all_gather(arena_.weight_data() + arena_.buckets()[b].range.begin,
                                                           own.length() * static_cast<std::int64_t>(sizeof(float)),
                                                           "gather updated weights"));
    }
    for (WorkPtr& work : gathering) communicator_.wait(std::move(work));
    communicator_.finish_exchanges();
    return result;
}

std::int64_t ShardedAdamW::update_count() const {
    return static_cast<std::int64_t>(*static_cast<const float*>(step_count_.const_data_ptr()));
}

void ShardedAdamW::set_update_count(std::int64_t count) {
    // the fused kernel takes the count as fp32, which is exact up to here
    if (count < 0 || count > (std::int64_t{1} << 24)) {
        throw Error(ExitCode::internal, fmt::format("update count {} is outside 0..2^24", count));
    }
    *static_cast<float*>(step_count_.mutable_data_ptr()) = static_cast<float>(count);
}

}    // namespace blip
