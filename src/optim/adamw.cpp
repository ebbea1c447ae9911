// See adamw.h. The update is LibTorch's fused kernel on slices, one per bucket: the same bits however the arena is
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
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "blip/base/error.h"

namespace blip {
namespace {

constexpr const char* gather_what = "gather updated weights";

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

// Double scalars on the values' device. A square of a float cannot overflow a double, so the sum is finite exactly when
// every element is.
at::Tensor square_sum_together(const std::vector<at::Tensor>& shards) {
    // Adds up in double without a copy of the values in double.
    const at::Tensor norms = at::stack(at::_foreach_norm(shards, 2, at::kDouble));
    return norms.mul(norms).sum();
}
at::Tensor square_sum(const at::Tensor& values) {
    return values.is_cpu() ? at::scalar_tensor(host_square_sum(values), at::kDouble) : square_sum_together({values});
}

// 0 if finite, else NaN
at::Tensor zero_or_nan(const at::Tensor& scalar) { return scalar - scalar; }

}    // namespace

ShardedAdamW::ShardedAdamW(Arena& arena, Collectives& collectives, const OptimOptions& options, bool together)
    : arena_(arena), collectives_(collectives), options_(options), together_(together) {
    const auto fp32 = at::TensorOptions().dtype(at::kFloat).device(arena.placement().device);
    for (std::size_t bucket = 0; bucket < arena.buckets().size(); ++bucket) {
        const Range own = arena.shard(static_cast<int>(bucket), collectives.rank());
        if (bucket < arena.trained_buckets()) {
            exp_avg_.push_back(at::zeros({own.length()}, fp32));
            exp_avg_sq_.push_back(at::zeros({own.length()}, fp32));
        }
        masters_.push_back(masters_apart() ? at::zeros({own.length()}, fp32)
                                           : at::narrow(arena.flat_weights(), 0, own.begin, own.length()));
    }
    step_count_ = at::zeros({}, fp32);
    lr_ = at::zeros({}, fp32);
    if (options.clip_norm > 0) all_squares_ = at::zeros({collectives.size()}, fp32.dtype(at::kDouble));
}

bool ShardedAdamW::masters_apart() const { return arena_.placement().dtype != at::kFloat; }

int ShardedAdamW::rank() const { return collectives_.rank(); }

// What the bucket's masters are now, into the arena.
void ShardedAdamW::round_masters(std::size_t bucket) {
    if (!masters_apart()) return;
    const Range own = arena_.shard(static_cast<int>(bucket), collectives_.rank());
    at::narrow(arena_.flat_weights(), 0, own.begin, own.length()).copy_(masters_[bucket]);
}

GatherPart ShardedAdamW::gathered(std::size_t bucket) {
    const Range own = arena_.shard(static_cast<int>(bucket), collectives_.rank());
    return {arena_.weight_address(arena_.buckets()[bucket].range.begin), own.length() * arena_.weight_element_bytes()};
}

// How far the gradients of all ranks must be scaled down. The squares are added in the order of the ranks, on every
// rank alike. torch.nn.utils.clip_grad_norm_'s factor is min(1, clip_norm / (norm + 1e-6)); the kernel divides by its
// inverse.
ShardedAdamW::Guard ShardedAdamW::clipping_guard(const at::Tensor& squares, const at::Tensor& loss_fault) {
    constexpr double torch_eps = 1e-6;
    all_squares_.select(0, collectives_.rank()).copy_(squares);
    collectives_.wait(
        collectives_.start_all_gather(all_squares_.mutable_data_ptr(), sizeof(double), "gather the gradient's norm"));
    const at::Tensor norm = all_squares_.sum().sqrt();
    return {at::ne(zero_or_nan(norm), loss_fault).to(at::kFloat),
            norm.add(torch_eps).div(options_.clip_norm).clamp_min(1).to(at::kFloat)};
}

// Returns the sum of squares. Where a shard is not finite its update does nothing, and rounding it nothing new.
at::Tensor ShardedAdamW::step_by_bucket(GradReducer& reducer, double lr, const at::Tensor& loss_fault) {
    at::Tensor squares = at::zeros({}, at::kDouble);
    std::vector<WorkPtr> gathering;
    const auto update = [&](std::size_t b, const at::Tensor& gradient, const Guard& guard) {
        at::_fused_adamw_({masters_[b]}, {gradient}, {exp_avg_[b]}, {exp_avg_sq_[b]}, {}, {step_count_}, lr,
                          options_.beta1, options_.beta2, options_.weight_decay, options_.eps, /*amsgrad=*/false,
                          /*maximize=*/false, guard.grad_scale, guard.fault);
        round_masters(b);
        const GatherPart part = gathered(b);
        gathering.push_back(collectives_.start_all_gather(part.buffer, part.bytes, gather_what));
    };
    const bool clip = options_.clip_norm > 0;
    std::vector<at::Tensor> gradients;
    for (std::size_t b = 0; b < exp_avg_.size(); ++b) {
        gradients.push_back(reducer.reduced_shard(static_cast<int>(b)));
        const at::Tensor of_shard = square_sum(gradients[b]);
        squares.add_(of_shard);
        // unequal if either is NaN
        if (!clip) update(b, gradients[b], {at::ne(zero_or_nan(of_shard), loss_fault).to(at::kFloat), {}});
    }
    if (clip) {
        const Guard guard = clipping_guard(squares, loss_fault);
        for (std::size_t b = 0; b < gradients.size(); ++b) update(b, gradients[b], guard);
    }
    for (WorkPtr& work : gathering) collectives_.wait(std::move(work));
    return squares;
}

// The same for all shards at once.
at::Tensor ShardedAdamW::step_together(GradReducer& reducer, double lr, const at::Tensor& loss_fault) {
    lr_.fill_(lr);
    const std::size_t trained = exp_avg_.size();
    std::vector<at::Tensor> gradients;
    for (std::size_t b = 0; b < trained; ++b) gradients.push_back(reducer.reduced_shard(static_cast<int>(b)));
    const at::Tensor squares = square_sum_together(gradients);
    const Guard guard = options_.clip_norm > 0 ? clipping_guard(squares, loss_fault)
                                               : Guard{at::ne(zero_or_nan(squares), loss_fault).to(at::kFloat), {}};
    const std::vector<at::Tensor> counts(trained, step_count_);    // only read
    const at::ArrayRef<at::Tensor> masters(masters_.data(), trained);
    at::_fused_adamw_(masters, gradients, exp_avg_, exp_avg_sq_, {}, counts, lr_, options_.beta1, options_.beta2,
                      options_.weight_decay, options_.eps, /*amsgrad=*/false, /*maximize=*/false, guard.grad_scale,
                      guard.fault);
    std::vector<GatherPart> parts;
    for (std::size_t b = 0; b < trained; ++b) {
        round_masters(b);
        parts.push_back(gathered(b));
    }
    for (WorkPtr& work : collectives_.start_all_gathers(parts, gather_what)) collectives_.wait(std::move(work));
    return squares;
}

ShardedAdamW::StepResult ShardedAdamW::step(GradReducer& reducer, double lr, const at::Tensor& loss) {
    if (masters_apart() && !masters_set_)
        throw Error(ExitCode::internal, "weights were loaded without their fp32 masters");
    const c10::impl::ExcludeDispatchKeyGuard no_autograd(c10::autograd_dispatch_keyset);
    const c10::Device device = arena_.placement().device;
    // NaN from here on: no update of any shard
    const at::Tensor loss_fault = loss.defined() ? zero_or_nan(loss.detach().reshape({}).to(at::kDouble))
                                                 : at::zeros({}, at::TensorOptions().device(device).dtype(at::kDouble));
    step_count_.add_(at::eq(loss_fault, 0).to(at::kFloat));
    const at::Tensor squares =
        together_ ? step_together(reducer, lr, loss_fault) : step_by_bucket(reducer, lr, loss_fault);
    collectives_.finish_exchanges();
    return {squares, at::ne(zero_or_nan(squares), loss_fault).to(at::kDouble)};
}

void ShardedAdamW::write_weights(std::int64_t begin, std::span<const float> values) {
    arena_.write_weights(begin, values);
    masters_set_ = true;
    if (!masters_apart()) return;
    const std::int64_t end = begin + static_cast<std::int64_t>(values.size());
    for (std::size_t bucket = 0; bucket < masters_.size(); ++bucket) {
        const Range own = arena_.shard(static_cast<int>(bucket), collectives_.rank());
        const std::int64_t first = std::max(begin, own.begin), last = std::min(end, own.end);
        if (first >= last) continue;
        // from_blob asks for a writable pointer; nothing writes to it
        auto* from = const_cast<float*>(values.data()) + (first - begin);
        at::narrow(masters_[bucket], 0, first - own.begin, last - first)
            .copy_(at::from_blob(from, {last - first}, at::kFloat));
    }
}

std::int64_t ShardedAdamW::update_count() const { return static_cast<std::int64_t>(step_count_.item<float>()); }

}    // namespace blip
