// A second objective through the real trainer, without a line of it changed: a line on pooled image embeddings learns
// how bright pictures are. It has its own parameters, weights, evaluation and best score, and resumes to the bit.
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "blip/base/durable_file.h"
#include "blip/data/packed/dataset.h"
#include "blip/model/layers.h"
#include "blip/model/vision_encoder.h"
#include "blip/params/arena.h"
#include "blip/tasks/task.h"
#include "blip/train/trainer.h"
#include "tests/support/paths.h"
#include "tests/support/self_communicator.h"
#include "tests/unit/data/small_packed_file.h"

namespace blip::test {
namespace {

constexpr int size = 32, epochs = 3;

Options options_in(const std::filesystem::path& output) {
    Options options;
    options.model.image_size = size;
    options.model.patch_size = 16;
    options.model.vision_width = 16;
    options.model.vision_heads = 2;
    options.model.vision_depth = 2;
    options.augment.enabled = false;
    options.optim.init_lr = 3e-3;
    options.train.epochs = epochs;
    options.train.global_batch = 6;
    options.train.micro_batch = 3;
    options.data.loader_threads = 1;
    options.runtime.threads = 1;
    options.runtime.progress = false;
    options.checkpoint.output = output;
    return options;
}

// A vision encoder and one line behind the mean of its tokens.
struct Brightness : Objective {
    Layout layout;
    VisionEncoder vision;
    Linear line;

    TrainingUnits each_caption;

    Brightness(const ModelOptions& model, const SplitTables& split)
        : vision(layout, model),
          line(layout, "line", model.vision_width, 1, Init::normal(0.02)),
          each_caption(split, 1, Options().train.seed) {}

    const TrainingUnits& units() const override { return each_caption; }
    std::int64_t weight(std::int64_t) const override { return 2; }
    double flops(const std::vector<std::int64_t>&) const override { return 3e6; }
    at::Tensor loss(const Weights& weights, const FedBatch& batch, const StepShare& step) const override {
        const at::Tensor wanted = batch.images_I3SS.to(at::kFloat).mean({1, 2, 3}) / 255;
        const at::Tensor pooled_IW = vision.forward(weights, batch.images_I3SS).mean(1);
        step.sums[0] += static_cast<double>(batch.images_I3SS.size(0));
        step.sums[1] += 1;
        const at::Tensor off = line(weights, pooled_IW).squeeze(1) - wanted;
        return (off * off).sum() * (2 / step.weight);
    }
    std::size_t sum_count() const override { return 2; }
    std::map<std::string, double> told(std::span<const double> sums) const override {
        return {{"pictures", sums[0]}, {"mean_part", sums[0] / sums[1]}};
    }
    std::string signature() const override { return "brightness, squared"; }
};

// Its score is worst at the end: which epoch is the best must come from here.
struct FirstIsBest : Evaluation {
    std::optional<nlohmann::json> run(int epoch, const std::function<bool()>&) override {
        const double score = 10 - epoch;
        return nlohmann::json{{"splits", {{"val", {{"scores", {{"firstness", score}}}}}}},
                              {"selection", {{"split", "val"}, {"metric", "firstness"}, {"score", score}}}};
    }
    std::string selection_metric() const override { return "firstness"; }
    nlohmann::json note() const override { return {{"task", "brightness"}}; }
    std::map<std::string, std::string> files() const override { return {{"about.txt", "bright\n"}}; }
};

ExitCode train(const Options& options, const PackedDataset& dataset) {
    const Brightness objective(options.model, dataset.split("train"));
    const Task task{objective.layout, objective,
                    [](const Weights&, c10::Device) { return std::make_unique<FirstIsBest>(); }};
    SelfCommunicator communicator;
    return Trainer(options, "", dataset, task, {}, communicator, communicator, [] { return false; }).run();
}

std::vector<double> losses(const std::filesystem::path& output) {
    std::ifstream log(output / "log.jsonl");
    std::vector<double> found;
    for (std::string line; std::getline(log, line);) {
        const auto record = nlohmann::json::parse(line);
        if (record.contains("loss")) found.push_back(record.at("loss"));
    }
    return found;
}

// What the log has under this name, of each record that has it.
std::vector<nlohmann::json> logged(const std::filesystem::path& output, const char* name) {
    std::ifstream log(output / "log.jsonl");
    std::vector<nlohmann::json> found;
    for (std::string line; std::getline(log, line);)
        if (auto record = nlohmann::json::parse(line); record.contains(name)) found.push_back(record.at(name));
    return found;
}

std::string newest_weights(const std::filesystem::path& output) {
    std::vector<std::filesystem::path> steps;
    for (const auto& entry : std::filesystem::directory_iterator(output / "checkpoints")) steps.push_back(entry.path());
    std::sort(steps.begin(), steps.end());
    return read_file(steps.back() / "shard-00000-of-00001.safetensors");
}

}    // namespace

BOOST_AUTO_TEST_SUITE(objective)

BOOST_AUTO_TEST_CASE(another_objective_trains_evaluates_and_resumes) {
    const TempDir folder;
    write_small_file(folder / "small.h5");
    const PackedDataset dataset = PackedDataset::open(folder / "small.h5");
    const Options whole = options_in(folder / "whole");
    BOOST_TEST((train(whole, dataset) == ExitCode::ok));

    const std::vector<double> of_whole = losses(whole.checkpoint.output);
    BOOST_TEST_REQUIRE(of_whole.size() == 30U);    // 60 captions, 6 a step, 3 epochs
    BOOST_TEST((logged(whole.checkpoint.output, "pictures") == std::vector<nlohmann::json>(30, 6)));
    BOOST_TEST(
        (logged(whole.checkpoint.output, "mean_part") == std::vector<nlohmann::json>(30, whole.train.micro_batch)));
    BOOST_TEST((logged(whole.checkpoint.output, "signature") == std::vector<nlohmann::json>{"brightness, squared"}));
    // The weight of a step is 12, each of its six counts 2: a mean of squares, which a guess of 0 has at 0.25.
    BOOST_TEST(std::abs(of_whole.front() - 0.25) < 0.2);
    BOOST_TEST(of_whole.back() < 0.1 * of_whole.front());

    const auto best = nlohmann::json::parse(read_file(whole.checkpoint.output / "evaluations" / "epoch-0.json"));
    BOOST_TEST(best.at("selection").at("metric") == "firstness");
    BOOST_TEST(read_file(whole.checkpoint.output / "best" / "about.txt") == "bright\n");
    const std::string kept = read_file(whole.checkpoint.output / "best" / "model.safetensors");
    BOOST_TEST(kept.find("brightness") != std::string::npos);
    BOOST_TEST(std::filesystem::exists(whole.checkpoint.output / "evaluations" / "epoch-2.json"));

    // Ended in the second epoch, and again from there.
    Options half = options_in(folder / "half");
    half.train.max_steps = 14;
    BOOST_TEST((train(half, dataset) == ExitCode::ok));
    half.train.max_steps = 0;
    BOOST_TEST((train(half, dataset) == ExitCode::ok));
    BOOST_TEST(losses(half.checkpoint.output) == of_whole, boost::test_tools::per_element());
    BOOST_TEST((newest_weights(half.checkpoint.output) == newest_weights(whole.checkpoint.output)));
    BOOST_TEST((read_file(half.checkpoint.output / "best" / "model.safetensors") == kept));
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test
