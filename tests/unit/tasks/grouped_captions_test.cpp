// A step over pictures with several captions each is the step over the same captions with a picture each: the loss and
// every gradient, dropout on, with a picture that has fewer captions than places.
#include <ATen/TensorOperators.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "blip/options/parse.h"
#include "blip/params/arena.h"
#include "blip/tasks/caption/objective.h"
#include "tests/tolerances.h"
#include "tests/unit/data/small_packed_file.h"

namespace blip::test {
namespace {

ModelOptions small_shape() {
    ModelOptions model = model_preset("tiny");
    model.text_layers = model.vision_depth = 2;
    model.image_size = 32;
    return model;
}

// A batch as the feed gives it, of these caption rows.
FedBatch fed(const SplitTables& split, const at::Tensor& images_I3SS, const std::vector<std::int64_t>& rows,
             std::int64_t first) {
    FedBatch fed;
    fed.images_I3SS = images_I3SS;
    fed.batch.request.tag = first;
    fed.batch.request.images.resize(static_cast<std::size_t>(images_I3SS.size(0)));
    fed.batch.request.captions = rows;
    std::int64_t longest = 0;
    for (const std::int64_t row : rows) {
        fed.batch.lengths_C.push_back(row == no_caption ? 0 : split.lengths_C[static_cast<std::size_t>(row)]);
        longest = std::max(longest, fed.batch.lengths_C.back());
    }
    for (std::size_t c = 0; c < rows.size(); ++c)
        for (std::int64_t t = 0; t < longest; ++t)
            fed.batch.tokens_CT.push_back(t < fed.batch.lengths_C[c] ? split.tokens(rows[c])[t] : 0);
    fed.tokens_CT = at::tensor(fed.batch.tokens_CT).view({static_cast<std::int64_t>(rows.size()), longest});
    return fed;
}

struct Step {
    double loss = 0;
    std::vector<at::Tensor> gradients;
};

Step step_of(const Captioner& captioner, Arena& arena, const SplitTables& split, int captions_per_picture,
             const std::vector<FedBatch>& batches) {
    LossOptions loss;
    TrainOptions train;
    train.captions_per_picture = captions_per_picture;
    const CaptionObjective objective(captioner, split, 4, loss, train);
    arena.zero_gradients();
    Step step;
    std::int64_t weight = 0;
    for (const FedBatch& batch : batches)
        for (const std::int64_t row : batch.batch.request.captions) weight += objective.weight(row);
    for (const FedBatch& batch : batches) {
        const at::Tensor part = objective.loss(arena.weights(), batch,
                                               {42, 7, static_cast<double>(weight), static_cast<int>(batches.size())});
        part.backward();
        step.loss += part.item<double>();
    }
    for (ParamId id = 0; id < captioner.layout().count(); ++id)    // behind them are joined ones
        step.gradients.push_back(view(arena.weights(), id).grad().clone());
    return step;
}

}    // namespace

BOOST_AUTO_TEST_SUITE(grouped_captions)

BOOST_AUTO_TEST_CASE(a_grouped_step_is_the_ungrouped_one) {
    const SplitTables split = small_split("train", 0, 4, 5);
    const Captioner captioner(small_shape());
    Arena arena(captioner.layout(), 1, 1 << 20, host_allocator(), true);
    initialise(arena, 3);
    constexpr std::int64_t places = 3;
    const std::vector<std::int64_t> rows = {0, 3, 4, 7, no_caption, no_caption, 10, 14, no_caption, 15, 16, 17};
    const at::Tensor images = at::randint(0, 256, {4, 3, 32, 32}, at::kByte);

    // two micro-batches of two pictures, and twelve of a caption with its picture
    std::vector<FedBatch> grouped, alone;
    for (std::int64_t m = 0; m < 2; ++m)
        grouped.push_back(fed(split, images.narrow(0, 2 * m, 2),
                              {rows.begin() + 2 * places * m, rows.begin() + 2 * places * (m + 1)}, 2 * places * m));
    for (std::size_t c = 0; c < rows.size(); ++c)
        if (rows[c] != no_caption)
            alone.push_back(fed(split, images.narrow(0, static_cast<std::int64_t>(c) / places, 1), {rows[c]},
                                static_cast<std::int64_t>(c)));
    const Step got = step_of(captioner, arena, split, places, grouped),
               wanted = step_of(captioner, arena, split, 1, alone);
    BOOST_TEST(std::abs(got.loss - wanted.loss) <= tolerance::grouped_loss * wanted.loss);
    double largest = 0;
    for (const at::Tensor& gradient : wanted.gradients)
        largest = std::max(largest, gradient.abs().max().item<double>());
    for (std::size_t id = 0; id < got.gradients.size(); ++id) {
        const std::string& name = captioner.layout().spec(static_cast<ParamId>(id)).name;
        const at::Tensor &own = got.gradients[id], &other = wanted.gradients[id];
        // a key's bias has a gradient of zero but for rounding
        const bool none = name.find("key.bias") != std::string::npos;
        const double scale = none ? largest : other.abs().max().item<double>();
        BOOST_TEST(scale > 0, name);
        BOOST_TEST((own - other).abs().max().item<double>() <= tolerance::grouped_gradients * scale, name);
    }
}

BOOST_AUTO_TEST_CASE(masks_belong_to_places) {
    const SplitTables split = small_split("train", 0, 4, 5);
    const Captioner captioner(small_shape());
    Arena arena(captioner.layout(), 1, 1 << 20, host_allocator(), true);
    initialise(arena, 3);
    const at::Tensor images = at::randint(0, 256, {1, 3, 32, 32}, at::kByte);
    const auto loss_at = [&](std::int64_t first) {
        return step_of(captioner, arena, split, 3, {fed(split, images, {0, 1, 2}, first)}).loss;
    };
    BOOST_TEST(loss_at(0) == loss_at(0));
    BOOST_TEST(std::abs(loss_at(0) - loss_at(3)) > 1e-4);
}

BOOST_AUTO_TEST_CASE(operations_of_a_step_without_the_encoders_backward_pass) {
    const SplitTables split = small_split("train", 0, 4, 5);
    const Captioner captioner(small_shape());
    const auto flops = [&](const char* frozen) {
        TrainOptions train;
        train.freeze = frozen;
        return CaptionObjective(captioner, split, 4, {}, train).flops({0});
    };
    const ModelOptions& model = captioner.options();
    const double patch = model.patch_size, patches = std::pow(32 / patch, 2), tokens = patches + 1;
    const double width = model.vision_width;
    const double encoder = 2 * patches * 3 * patch * patch * width +
                           2 * (24 * tokens * width * width + 4 * tokens * tokens * width);    // of two blocks
    BOOST_TEST(flops("none") - flops("vision") == 2 * encoder, boost::test_tools::tolerance(1e-12));
    BOOST_TEST(flops("vision") > encoder);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test
