// See train_step.h.
#include "src/train/train_step.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/scalar_tensor.h>

#include <chrono>

#include "blip/base/error.h"
#include "blip/base/random.h"
#include "blip/train/caption_loss.h"

namespace blip {

namespace {

using Clock = std::chrono::steady_clock;

// Time since the last call, in milliseconds, added to a total.
class StopWatch {
  public:
    void add_to(double& total_ms) {
        const auto now = Clock::now();
        total_ms += std::chrono::duration<double, std::milli>(now - last_).count();
        last_ = now;
    }

  private:
    Clock::time_point last_ = Clock::now();
};

}    // namespace

// Forward and backward of one micro-batch; returns its part of the global batch's loss.
double TrainStep::micro_batch(const Batch& batch, std::int64_t global_step, std::int64_t global_tokens,
                              StepRecord& record) {
    StopWatch watch;
    const auto tensor = [](const auto& values, at::IntArrayRef shape, at::ScalarType type) {
        // from_blob asks for a writable pointer; nothing writes to a batch
        return at::from_blob(const_cast<void*>(static_cast<const void*>(values.data())), shape, type);
    };
    const auto images = static_cast<std::int64_t>(batch.request.images.size());
    const auto captions = static_cast<std::int64_t>(batch.request.captions.size());
    const at::Tensor pixels = tensor(batch.images_I3SS, {images, 3, batch.image_size, batch.image_size}, at::kByte);
    const at::Tensor tokens = tensor(batch.tokens_CT, {captions, batch.token_count}, at::kLong);
    bool one_each = images == captions;
    for (std::int64_t c = 0; one_each && c < captions; ++c)
        one_each = batch.request.image_of_caption[static_cast<std::size_t>(c)] == c;
    const at::Tensor owners = one_each ? at::Tensor() : tensor(batch.request.image_of_caption, {captions}, at::kLong);

    const TrainedTokens trained = trained_tokens(batch.tokens_CT, batch.lengths_C, prompt_length_);
    DropoutMasks dropout(options_.loss.dropout, random_key(options_.train.seed, RandomPurpose::dropout,
                                                           {static_cast<std::uint64_t>(global_step),
                                                            static_cast<std::uint64_t>(batch.request.tag)}));
    const double share = options_.loss.average == "micro-batch"
                             ? 1.0 / plan_.sampler().micro_batches_per_step()
                             : static_cast<double>(trained.targets.size()) / static_cast<double>(global_tokens);
    const at::Tensor loss = caption_loss(captioner_, arena_.weights(), pixels, tokens, owners, trained,
                                         options_.loss.label_smoothing, dropout) *
                            share;
    watch.add_to(record.forward_ms);
    loss.backward();
    watch.add_to(record.backward_ms);
    return loss.item<double>();
}

StepOutcome TrainStep::run(BatchLoader& loader, const TrainState& state, double lr) {
    StepOutcome outcome;
    StepRecord& record = outcome.record;
    const auto start = Clock::now();
    record.tokens = plan_.global_tokens(state.epoch, state.step_in_epoch);
    record.samples = options_.train.global_batch;
    record.lr = lr;
    record.epoch = state.epoch;

    reducer_.begin_step();
    for (int left = plan_.sampler().micro_batch_count(); left > 0; --left) {
        StopWatch watch;
        const std::optional<Batch> batch = loader.next();
        watch.add_to(record.data_ms);
        if (!batch) throw Error(ExitCode::internal, "the loader ended before the epoch did");
        if (left == 1) reducer_.arm();
        outcome.own.loss += micro_batch(*batch, state.global_step, record.tokens, record);
        outcome.samples.insert(outcome.samples.end(), batch->request.captions.begin(), batch->request.captions.end());
    }
    StopWatch watch;
    reducer_.finish();
    const auto result = optimizer_.step(reducer_, lr, at::scalar_tensor(outcome.own.loss, at::kDouble));
    watch.add_to(record.update_ms);
    record.reduce_ms = reducer_.waited_s() * 1000;
    record.update_ms -= record.reduce_ms;

    record.step = state.global_step + 1;
    record.step_in_epoch = state.step_in_epoch + 1;
    record.step_ms = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
    outcome.own.gradient_square_sum = result.gradient_square_sum.item<double>();
    outcome.own.non_finite = result.non_finite.item<double>();
    return outcome;
}

}    // namespace blip
