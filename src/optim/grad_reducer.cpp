// See grad_reducer.h. The reduction is in place: a rank's reduced shard replaces its part of the gradient bucket.
#include "blip/optim/grad_reducer.h"

#include <ATen/ops/narrow.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <chrono>
#include <utility>

#include "blip/base/error.h"

namespace blip {

struct GradReducer::Impl {
    Arena& arena;
    Collectives& collectives;
    bool armed = false;
    std::vector<int> bucket_of_leaf;    // by id; -1: no leaf, or frozen
    std::vector<int> leaves;            // by trained bucket, as all below: how many
    std::vector<char> fired;            // by id: the leaf's hook ran since arm()
    std::vector<int> missing;           // by bucket: leaves whose hook has not run
    std::vector<std::string> names;     // by bucket, for messages
    std::vector<WorkPtr> works;         // by bucket; null once waited for
    std::vector<int> start_order;
    int started_by_hooks = 0;
    double waited_s = 0;

    Impl(Arena& an_arena, Collectives& some_collectives) : arena(an_arena), collectives(some_collectives) {
        const auto& buckets = arena.buckets();
        const Layout& layout = arena.layout();
        bucket_of_leaf.resize(static_cast<std::size_t>(layout.leaf_ids()), -1);
        leaves.resize(arena.trained_buckets());
        for (std::size_t b = 0; b < leaves.size(); ++b) {
            for (const ParamId id : buckets[b].params) {
                int& bucket = bucket_of_leaf[static_cast<std::size_t>(layout.leaf_of(id))];
                if (std::exchange(bucket, static_cast<int>(b)) < 0) ++leaves[b];
            }
            names.push_back(fmt::format("reduce gradient bucket {} of {}", b, leaves.size()));
        }
        works.resize(leaves.size());
        forget();
    }

    void forget() {
        armed = false;
        fired.assign(bucket_of_leaf.size(), 0);
        missing = leaves;
        start_order.clear();
        started_by_hooks = 0;
        waited_s = 0;
    }

    int next() const { return static_cast<int>(start_order.size()); }
    int bucket_count() const { return static_cast<int>(works.size()); }

    void start_next() {
        const int bucket = next();
        const Range range = arena.buckets()[static_cast<std::size_t>(bucket)].range;
        const Range own = arena.shard(bucket, collectives.rank());
        float* gradients = arena.gradient_data();
        works[static_cast<std::size_t>(bucket)] =
            collectives.start_reduce_scatter(gradients + range.begin, gradients + own.begin, own.length(),
                                             names[static_cast<std::size_t>(bucket)].c_str());
        start_order.push_back(bucket);
    }

    // Called by autograd, in the thread that called backward, when a leaf's gradient is final.
    void on_gradient(ParamId id) {
        if (!armed) return;
        if (std::exchange(fired[static_cast<std::size_t>(id)], 1) != 0) {
            throw Error(ExitCode::internal,
                        "a second backward pass after arm(): the gradient of {} may be on its "
                        "way to other ranks already",
                        arena.layout().spec(arena.layout().members(id).front()).name);
        }
        --missing[static_cast<std::size_t>(bucket_of_leaf[static_cast<std::size_t>(id)])];
        while (next() < bucket_count() && missing[static_cast<std::size_t>(next())] == 0) {
            start_next();
            ++started_by_hooks;
        }
    }

    void wait_for(int bucket) {
        WorkPtr work = std::move(works.at(static_cast<std::size_t>(bucket)));
        if (!work) return;
        const auto start = std::chrono::steady_clock::now();
        collectives.wait(std::move(work));
        waited_s += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    }
};

namespace {

struct GradientHook : torch::autograd::PostAccumulateGradHook {
    std::function<void()> run;
    explicit GradientHook(std::function<void()> function) : run(std::move(function)) {}
    void operator()(const at::Tensor&) override { run(); }
};

}    // namespace

GradReducer::GradReducer(Arena& arena, Collectives& collectives) : impl_(std::make_unique<Impl>(arena, collectives)) {
    for (ParamId id = 0; id < arena.layout().leaf_ids(); ++id) {
        if (impl_->bucket_of_leaf[static_cast<std::size_t>(id)] < 0) continue;
        auto hook = std::make_unique<GradientHook>([impl = impl_.get(), id] { impl->on_gradient(id); });
        torch::autograd::impl::set_post_acc_grad_hooks(arena.weights()[static_cast<std::size_t>(id)], std::move(hook));
    }
}

GradReducer::~GradReducer() {
    for (ParamId id = 0; id < impl_->arena.layout().leaf_ids(); ++id)
        if (impl_->bucket_of_leaf[static_cast<std::size_t>(id)] >= 0)
            torch::autograd::impl::set_post_acc_grad_hooks(impl_->arena.weights()[static_cast<std::size_t>(id)],
                                                           nullptr);
}

void GradReducer::begin_step() {
    for (int bucket = 0; bucket < impl_->bucket_count(); ++bucket) impl_->wait_for(bucket);
    impl_->forget();
    impl_->arena.zero_gradients();
}

void GradReducer::arm() { impl_->armed = true; }

void GradReducer::finish() {
    while (impl_->next() < impl_->bucket_count()) impl_->start_next();
    impl_->armed = false;
}

at::Tensor GradReducer::reduced_shard(int bucket) {
    if (bucket >= impl_->next()) {
        throw Error(ExitCode::internal, "gradient bucket {} is asked for before finish()", bucket);
    }
    impl_->wait_for(bucket);
    const Range own = impl_->arena.shard(bucket, impl_->collectives.rank());
    return at::narrow(impl_->arena.flat_gradients(), 0, own.begin, own.length());
}

const std::vector<int>& GradReducer::start_order() const { return impl_->start_order; }
int GradReducer::started_by_hooks() const { return impl_->started_by_hooks; }
double GradReducer::waited_s() const { return impl_->waited_s; }

}    // namespace blip
