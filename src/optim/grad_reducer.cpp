// See grad_reducer.h. The reduction is in place: a rank's reduced shard replaces its part of the gradient bucket.
#include "blip/optim/grad_reducer.h"

#include <ATen/ops/narrow.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include "blip/base/error.h"

namespace blip {
namespace {

struct GradientHook : torch::autograd::PostAccumulateGradHook {
    std::function<void()> run;
    explicit GradientHook(std::function<void()> function) : run(std::move(function)) {}
    void operator()(const at::Tensor&) override { run(); }
};

}    // namespace

GradReducer::GradReducer(Arena& arena, Collectives& collectives) : arena_(arena), collectives_(collectives) {
    const Layout& layout = arena.layout();
    bucket_of_leaf_.resize(static_cast<std::size_t>(layout.leaf_ids()), -1);
    leaves_.resize(arena.trained_buckets());
    for (std::size_t b = 0; b < leaves_.size(); ++b) {
        for (const ParamId id : arena.buckets()[b].params) {
            int& bucket = bucket_of_leaf_[static_cast<std::size_t>(layout.leaf_of(id))];
            if (std::exchange(bucket, static_cast<int>(b)) < 0) ++leaves_[b];
        }
        names_.push_back(fmt::format("reduce gradient bucket {} of {}", b, leaves_.size()));
    }
    works_.resize(leaves_.size());
    forget();
    for (std::size_t id = 0; id < bucket_of_leaf_.size(); ++id)
        if (bucket_of_leaf_[id] >= 0)
            torch::autograd::impl::set_post_acc_grad_hooks(
                arena.weights()[id],
                std::make_unique<GradientHook>([this, id] { on_gradient(static_cast<ParamId>(id)); }));
}

GradReducer::~GradReducer() {
    for (std::size_t id = 0; id < bucket_of_leaf_.size(); ++id)
        if (bucket_of_leaf_[id] >= 0) torch::autograd::impl::set_post_acc_grad_hooks(arena_.weights()[id], nullptr);
}

void GradReducer::forget() {
    armed_ = false;
    fired_.assign(bucket_of_leaf_.size(), 0);
    missing_ = leaves_;
    start_order_.clear();
    started_by_hooks_ = 0;
    waited_s_ = 0;
}

void GradReducer::start_next() {
    const int bucket = next();
    const Range range = arena_.buckets()[static_cast<std::size_t>(bucket)].range;
    const Range own = arena_.shard(bucket, collectives_.rank());
    float* gradients = arena_.gradient_data();
    works_[static_cast<std::size_t>(bucket)] = collectives_.start_reduce_scatter(
        gradients + range.begin, gradients + own.begin, own.length(), names_[static_cast<std::size_t>(bucket)].c_str());
    start_order_.push_back(bucket);
}

// Called by autograd, in the thread that called backward, when a leaf's gradient is final.
void GradReducer::on_gradient(ParamId id) {
    if (!armed_) return;
    if (std::exchange(fired_[static_cast<std::size_t>(id)], 1) != 0)
        throw Error(ExitCode::internal,
                    "a second backward pass after arm(): the gradient of {} may be on its way to other ranks already",
                    arena_.layout().spec(arena_.layout().members(id).front()).name);
    --missing_[static_cast<std::size_t>(bucket_of_leaf_[static_cast<std::size_t>(id)])];
    while (next() < bucket_count() && missing_[static_cast<std::size_t>(next())] == 0) {
        start_next();
        ++started_by_hooks_;
    }
}

void GradReducer::wait_for(int bucket) {
    WorkPtr work = std::move(works_.at(static_cast<std::size_t>(bucket)));
    if (!work) return;
    const auto start = std::chrono::steady_clock::now();
    collectives_.wait(std::move(work));
    waited_s_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void GradReducer::begin_step() {
    for (int bucket = 0; bucket < bucket_count(); ++bucket) wait_for(bucket);
    forget();
    arena_.zero_gradients();
}

void GradReducer::finish() {
    while (next() < bucket_count()) start_next();
    armed_ = false;
}

at::Tensor GradReducer::reduced_shard(int bucket) {
    if (bucket >= next()) throw Error(ExitCode::internal, "gradient bucket {} is asked for before finish()", bucket);
    wait_for(bucket);
    const Range own = arena_.shard(bucket, collectives_.rank());
    return at::narrow(arena_.flat_gradients(), 0, own.begin, own.length());
}

}    // namespace blip
