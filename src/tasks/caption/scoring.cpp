// See scoring.h.
#include "blip/tasks/caption/scoring.h"

#include <fmt/format.h>

#include <iterator>

#include "blip/base/error.h"
#include "blip/metrics/caption_files.h"
#include "blip/metrics/coco_tokens.h"
#include "blip/tasks/caption/evaluator.h"
#include "blip/text/image_key.h"
#include "blip/text/json_file.h"

namespace blip {

ScoringFiles read_scoring_files(const EvaluateOptions& options) {
    ScoringFiles files;
    if (!options.cider_df.empty()) {
        const DocumentFrequencies frequencies = read_document_frequencies(options.cider_df);
        files.cider_scorer = std::make_shared<const CiderScorer>(frequencies);
        files.frequencies = frequencies_digest(frequencies);
    }
    if (options.nocaps.empty()) return files;
    files.nocaps = true;
    const JsonFile file =
        load_json(options.nocaps, {"annotations", "info", "licenses"}, "--nocaps takes NoCaps' annotation file");
    if (file.root.is_array() && file.root.empty()) bad_json(file, "the whole file", "names no image");
    std::size_t row = 0;
    // the reference's own nocaps_val.json is a list of them
    const bool official = !file.root.is_array();
    for (const auto& image : official ? json_list(file, file.root, "images", "the whole file") : file.root) {
        const std::string where = fmt::format("images[{}]", row++);
        const std::string id = json_key(file, image, official ? "id" : "img_id", where).text;
        if (!files.nocaps_images.insert(id).second) bad_json(file, where, fmt::format("image {} is there twice", id));
        if (!image.contains("domain")) continue;
        const std::string domain = json_text(file, image, "domain", where);
        if (!is_nocaps_domain(domain))
            bad_json(file, where, fmt::format("domain '{}' is none of in-domain, near-domain, out-domain", domain));
        files.domains.emplace(id, domain);
    }
    return files;
}

void check_nocaps_images(const ScoringFiles& files, const EvaluateOptions& options,
                         const std::vector<std::string>& splits, const PackedDataset& dataset) {
    if (!files.nocaps) return;
    for (const std::string& split : splits)
        for (const ImageKey& key : dataset.split(split).keys_I)
            if (!files.nocaps_images.contains(key.text))
                throw Error(ExitCode::bad_data,
                            "{}: lacks image {} of {} in {}; is it the annotation file of these pictures?",
                            options.nocaps.string(), key.text, split, dataset.path().string());
}

ReferenceLines::ReferenceLines(const SplitTables& split, std::int64_t images) {
    std::vector<std::vector<std::string_view>> by_image(static_cast<std::size_t>(images));
    for (std::int64_t c = 0; c < split.caption_count(); ++c)
        if (const auto image = static_cast<std::size_t>(split.image_index_C[static_cast<std::size_t>(c)]);
            image < by_image.size())
            by_image[image].push_back(split.text(c));
    for (const auto& captions : by_image) {
        first_.push_back(lines_.size());
        lines_.insert(lines_.end(), captions.begin(), captions.end());
    }
    first_.push_back(lines_.size());
}

std::string ReferenceLines::tokens_of_share(int rank, int ranks, int threads) const {
    const auto begin_of = [&](int r) {
        return lines_.size() * static_cast<std::size_t>(r) / static_cast<std::size_t>(ranks);
    };
    return join_tokens(coco_tokens(lines_, begin_of(rank), begin_of(rank + 1), threads));
}

std::vector<std::vector<Tokens>> ReferenceLines::by_image(const std::vector<std::string>& shares) const {
    std::vector<Tokens> all;
    for (const std::string& share : shares) {
        std::vector<Tokens> lines = split_tokens(share);
        all.insert(all.end(), std::make_move_iterator(lines.begin()), std::make_move_iterator(lines.end()));
    }
    if (all.size() != lines_.size())
        throw Error(ExitCode::internal, "evaluation gathered tokens of {} references out of {}", all.size(),
                    lines_.size());
    std::vector<std::vector<Tokens>> result;
    for (std::size_t i = 0; i + 1 < first_.size(); ++i)
        result.emplace_back(std::make_move_iterator(all.begin() + static_cast<std::ptrdiff_t>(first_[i])),
                            std::make_move_iterator(all.begin() + static_cast<std::ptrdiff_t>(first_[i + 1])));
    return result;
}

ReferenceSet ReferenceLines::set(const SplitTables& split) const {
    std::vector<ReferenceCaptions> images;
    for (std::size_t i = 0; i + 1 < first_.size(); ++i)
        if (first_[i] < first_[i + 1])
            images.push_back({split.keys_I[i].text,
                              {lines_.begin() + static_cast<std::ptrdiff_t>(first_[i]),
                               lines_.begin() + static_cast<std::ptrdiff_t>(first_[i + 1])}});
    return reference_set(std::move(images));
}

ImageScores score_split(SplitEvaluation& evaluation, std::vector<std::vector<Tokens>> references,
                        const ReferenceSet& set, const ScoringFiles& files, const CocoEvalOptions& options) {
    ImageScores images;
    std::map<std::string, std::vector<ScoredCaption>> by_domain;
    for (const CaptionResult& result : evaluation.captions) {
        auto& own = references[static_cast<std::size_t>(result.image_row)];
        if (own.empty()) continue;
        images.image_rows.push_back(result.image_row);
        images.captions.push_back({result.key.text, result.caption, {}, std::move(own)});
        if (const auto found = files.domains.find(result.key.text); found != files.domains.end())
            by_domain[found->second].push_back(images.captions.back());
    }
    CocoEvalOptions with_files = options;
    with_files.cider_scorer = files.cider_scorer;
    if (!images.captions.empty()) {
        images.scores = coco_scores(images.captions, with_files, &images.details);
        evaluation.scores = corpus_scores(images.scores);
        std::vector<std::string> metrics;
        for (const auto& [name, score] : evaluation.scores) metrics.push_back(name);
        evaluation.signature = score_signature(set, metrics, files.frequencies);
    }
    for (const auto& [domain, captions] : by_domain)
        evaluation.domains[domain] = {captions.size(), corpus_scores(coco_scores(captions, with_files))};
    return images;
}

}    // namespace blip
