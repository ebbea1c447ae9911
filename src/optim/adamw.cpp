// See adamw.h. The update is LibTorch's fused kernel on one slice per bucket: the same bits however the arena is
// sliced. What decides whether it happens (found_inf) is computed where the gradients are.
#include "blip/optim/adamw.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/eq.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/narrow.h>
#include <ATen/ops/ne.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "blip/base/error.h"

namespace blip {
namespace {

// Sum of squares on the host. Chunks of fixed size are added in order, so that the number of threads changes no bit.
double host_square_sum(const at::Tensor& values) {
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

// A double scalar on the values' device. A square of a float cannot overflow a double, so the sum is finite exactly
// when every element is.
at::Tensor square_sum(const at::Tensor& values) {
    if (values.is_cpu()) return at::scalar_tensor(host_square_sum(values), at::kDouble);
    // Adds up in double without a copy of the values in double.
    at::Tensor norm = at::_foreach_norm({values}, 2, at::kDouble).front();
    return norm.mul_(norm);
}

// 0 if finite, else NaN
at::Tensor zero_or_nan(const at::Tensor& scalar) { return scalar - scalar; }

}    // namespace

ShardedAdamW::ShardedAdamW(Arena& arena, Communicator& communicator, const OptimOptions& options)
    : arena_(arena), communicator_(communicator), options_(options) {
    const auto fp32 = at::TensorOptions().dtype(at::kFloat).device(arena.placement().device);
    for (std::size_t bucket = 0; bucket < arena.buckets().size(); ++bucket) {
        const Range own = arena.shard(static_cast<int>(bucket), communicator.rank());
        exp_avg_.push_back(at::zeros({own.length()}, fp32));
        exp_avg_sq_.push_back(at::zeros({own.length()}, fp32));
        masters_.push_back(masters_apart() ? at::zeros({own.length()}, fp32)
                                           : at::narrow(arena.flat_weights(), 0, own.begin, own.length()));
    }
    step_count_ = at::zeros({}, fp32);
    lr_ = at::zeros({}, fp32);
}

bool ShardedAdamW::masters_apart() const { return arena_.placement().dtype != at::kFloat; }

int ShardedAdamW::rank() const { return communicator_.rank(); }

// The master's update and its rounding into the arena. Where found_inf is 1 the first does nothing, the second nothing
// new.
void ShardedAdamW::update(std::size_t bucket, const at::Tensor& gradient, double lr, const at::Tensor& found_inf) {
    const at::Tensor& master = masters_[bucket];
    if (master.is_cpu()) {
        at::_fused_adamw_({master}, {gradient}, {exp_avg_[bucket]}, {exp_avg_sq_[bucket]}, {}, {step_count_}, lr,
                          options_.beta1, options_.beta2, options_.weight_decay, options_.eps, /*amsgrad=*/false,
                          /*maximize=*/false, {}, found_inf);
    } else {
        at::_fused_adamw_({master}, {gradient}, {exp_avg_[bucket]}, {exp_avg_sq_[bucket]}, {}, {step_count_}, lr_,
                          options_.beta1, options_.beta2, options_.weight_decay, options_.eps, /*amsgrad=*/false,
                          /*maximize=*/false, {}, found_inf);
    }
    if (masters_apart()) {
        const Range own = arena_.shard(static_cast<int>(bucket), communicator_.rank());
        at::narrow(arena_.flat_weights(), 0, own.begin, own.length()).copy_(master);
    }
}

ShardedAdamW::StepResult ShardedAdamW::step(GradReducer& reducer, double lr, const at::Tensor& loss) {
    if (masters_apart() && !masters_set_)
        throw Error(ExitCode::internal, "weights were loaded without their fp32 masters");
    const c10::impl::ExcludeDispatchKeyGuard no_autograd(c10::autograd_dispatch_keyset);
    const at::TensorOptions on_device = at::TensorOptions().device(arena_.placement().device);
    lr_.fill_(lr);
    // NaN from here on: no update of any shard
    const at::Tensor loss_fault = loss.defined() ? zero_or_nan(loss.detach().reshape({}).to(at::kDouble))
                                                 : at::zeros({}, on_device.dtype(at::kDouble));
    step_count_.add_(at::eq(loss_fault, 0).to(at::kFloat));
    at::Tensor squares = at::zeros({}, on_device.dtype(at::kDouble));
    std::vector<WorkPtr> gathering;
    for (std::size_t b = 0; b < masters_.size(); ++b) {
        const int bucket = static_cast<int>(b);
        const at::Tensor gradient = reducer.reduced_shard(bucket);
        const at::Tensor of_shard = square_sum(gradient);
        squares.add_(of_shard);
        // unequal if either is NaN
        const at::Tensor found_inf = at::ne(zero_or_nan(of_shard), loss_fault).to(at::kFloat);
        update(b, gradient, lr, found_inf);
        const Range own = arena_.shard(bucket, communicator_.rank());
        gathering.push_back(communicator_.start_all_gather(arena_.weight_address(arena_.buckets()[b].range.begin),
                                                           own.length() * arena_.weight_element_bytes(),
                                                           "gather updated weights"));
    }
    for (WorkPtr& work : gathering) communicator_.wait(std::move(work));
    communicator_.finish_exchanges();
    return {squares, at::ne(zero_or_nan(squares), loss_fault).to(at::kDouble)};
}

void ShardedAdamW::write_weights(std::int64_t begin, std::span<const float> values) {
    arena_.write_weights(begin, values);
    masters_set_ = true;
    if (!masters_apart()) return;
    const std::int64_t end = begin + static_cast<std::int64_t>(values.size());
    for (std::size_t bucket = 0; bucket < masters_.size(); ++bucket) {
        const Range own = arena_.shard(static_cast<int>(bucket), communicator_.rank());
        const std::int64_t first = std::max(begin, own.begin), last = std::min(end, own.end);
        if (first >= last) continue;
        // from_blob asks for a writable pointer; nothing writes to it
        auto* from = const_cast<float*>(values.data()) + (first - begin);
        at::narrow(masters_[bucket], 0, first - own.begin, last - first)
            .copy_(at::from_blob(from, {last - first}, at::kFloat));
    }
}

std::int64_t ShardedAdamW::update_count() const { return static_cast<std::int64_t>(step_count_.item<float>()); }

void ShardedAdamW::set_update_count(std::int64_t count) {
    // the fused kernel takes the count as fp32, which is exact up to here
    if (count < 0 || count > (std::int64_t{1} << 24)) {
        throw Error(ExitCode::internal, fmt::format("update count {} is outside 0..2^24", count));
    }
    step_count_.fill_(static_cast<double>(count));
}

}    // namespace blip
