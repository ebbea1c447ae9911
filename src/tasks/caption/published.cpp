// Published figures of the reference beside an evaluation's: declared in scoring.h.
#include <fmt/format.h>

#include <array>

#include "blip/tasks/caption/evaluator.h"
#include "blip/tasks/caption/scoring.h"

namespace blip {
namespace {

struct PublishedRun {
    const char* name;
    const char* split;    // nullptr: its publisher does not say which
    std::map<std::string, double> scores;
};

// Runs of the reference's training job on the Karpathy split.
const std::vector<PublishedRun>& published_runs() {
    static const std::vector<PublishedRun> runs = {
        {"reproduction", "val", {{"Bleu_4", 0.4005}, {"CIDEr", 1.3236}, {"ROUGE_L", 0.5995}, {"METEOR", 0.3087}}},
        {"reproduction", "test", {{"Bleu_4", 0.3968}, {"CIDEr", 1.3332}}},
        {"DeepSpark, 8 x BI-V100",
         nullptr,
         {{"Bleu_1", 0.797}, {"Bleu_2", 0.644}, {"Bleu_3", 0.503}, {"Bleu_4", 0.388}}}};
    return runs;
}

constexpr std::int64_t karpathy_images = 5000;    // of val, and of test

}    // namespace

std::vector<std::string> beside_published(const SplitEvaluation& evaluation, std::int64_t split_images,
                                          const std::string& source) {
    const bool in_full = split_images == karpathy_images && evaluation.captions.size() == karpathy_images &&
                         source.starts_with("Karpathy split") && !evaluation.scores.empty();
    std::vector<const PublishedRun*> runs;
    for (const PublishedRun& run : published_runs())
        if (run.split == nullptr || evaluation.split == run.split) runs.push_back(&run);
    if (!in_full || (evaluation.split != "val" && evaluation.split != "test")) return {};
    std::string heading = fmt::format("  {:<9} {:>9}", evaluation.split, "this run");
    for (const PublishedRun* run : runs) heading += fmt::format("  {:>12}", run->name);
    std::vector<std::string> lines = {"beside published runs of the reference's training job:", heading};
    for (const char* metric : {"Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "METEOR", "ROUGE_L", "CIDEr"}) {
        const auto cell = [metric](const std::map<std::string, double>& scores) {
            const auto found = scores.find(metric);
            return found == scores.end() ? std::string("-") : fmt::format("{:.4f}", found->second);
        };
        std::string line = fmt::format("  {:<9} {:>9}", metric, cell(evaluation.scores));
        for (const PublishedRun* run : runs)
            line +=
                fmt::format("  {:>{}}", cell(run->scores), std::max<std::size_t>(12, std::string(run->name).size()));
        lines.push_back(line);
    }
    return lines;
}

std::vector<std::string> beside_published(const SplitEvaluation& evaluation, const PackedDataset& dataset) {
    return beside_published(evaluation, dataset.split(evaluation.split).image_count(), dataset.source());
}

}    // namespace blip
