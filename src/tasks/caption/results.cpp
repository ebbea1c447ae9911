// Summary, results file and sample lines of an evaluation: declared in evaluator.h.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "blip/base/durable_file.h"
#include "blip/tasks/caption/evaluator.h"

namespace blip {

nlohmann::json summary(const SplitEvaluation& evaluation) {
    nlohmann::json result = {{"scores", evaluation.scores},
                             {"images", evaluation.captions.size()},
                             {"generate_s", evaluation.generate_s},
                             {"score_s", evaluation.score_s}};
    if (!evaluation.signature.empty()) result["signature"] = evaluation.signature;
    for (const auto& [domain, of_domain] : evaluation.domains)
        result["domains"][domain] = {{"images", of_domain.images}, {"scores", of_domain.scores}};
    return result;
}

void write_results(const std::filesystem::path& file, const std::vector<CaptionResult>& captions, bool plain) {
    nlohmann::json rows = nlohmann::json::array();
    for (const CaptionResult& result : captions) {
        rows.push_back({{"image_id", result.key.to_json()}, {"caption", result.caption}});
        if (plain) continue;
        rows.back()["log_probability"] = result.log_probability;
        if (!result.file.empty()) rows.back()["file_name"] = result.file;
    }
    make_folders(file.parent_path());
    write_file_durably(file, rows.dump(1) + "\n");
}

std::vector<std::string> sample_lines(const PackedDataset& dataset, const SplitEvaluation& evaluation, int count) {
    std::vector<std::string> lines;
    const SplitTables& split = dataset.split(evaluation.split);
    const std::size_t total = evaluation.captions.size(),
                      wanted = std::min<std::size_t>(static_cast<std::size_t>(count), total);
    for (std::size_t i = 0; i < wanted; ++i) {
        const CaptionResult& result = evaluation.captions[i * total / wanted];
        std::string line = fmt::format("  image {}: {}", name_image(split, result.image_row), result.caption);
        for (std::int64_t c = 0; c < split.caption_count(); ++c) {
            if (split.image_index_C[static_cast<std::size_t>(c)] != result.image_row) continue;
            line += fmt::format("   (people: {})", split.text(c));
            break;
        }
        lines.push_back(std::move(line));
    }
    return lines;
}

}    // namespace blip
