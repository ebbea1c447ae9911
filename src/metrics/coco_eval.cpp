// The scores of a set of captions under the names of the COCO evaluation. See coco_eval.h.
#include "blip/metrics/coco_eval.h"

#include <fmt/format.h>

#include <iterator>
#include <string_view>

#include "blip/base/error.h"
#include "blip/metrics/coco_tokens.h"
#include "blip/metrics/meteor.h"
#include "src/metrics/counted_captions.h"

namespace blip {
namespace {

// All references are one text to the tokenizer, and all captions another.
CocoDetails tokenise(const std::vector<ScoredCaption>& captions, int threads) {
    const bool given = !captions.front().reference_tokens.empty();
    CocoDetails result;
    std::vector<std::string_view> hypotheses;
    std::vector<std::vector<std::string_view>> references;
    for (const ScoredCaption& scored : captions) {
        hypotheses.emplace_back(scored.caption);
        if (given)
            result.reference_tokens.push_back(scored.reference_tokens);
        else
            references.emplace_back(scored.references.begin(), scored.references.end());
    }
    result.hypotheses = coco_tokens(hypotheses, threads);
    if (!given) result.reference_tokens = coco_tokens(references, threads);
    return result;
}

void add_bleu(const CountedCaptions& captions, CocoScores& scores, CocoDetails& details) {
    BleuScores found = bleu(captions);
    for (std::size_t n = 0; n < found.corpus.size(); ++n) {
        CaptionScores& of_n = scores[fmt::format("Bleu_{}", n + 1)];
        of_n.corpus = found.corpus[n];
        for (const auto& of_image : found.per_image) of_n.per_image.push_back(of_image[n]);
    }
    details.statistics.push_back(std::move(found.statistics));
}

}    // namespace

void add_mean_score(const char* name, CaptionScores found, CocoScores& scores, CocoDetails& details) {
    details.statistics.push_back({{name}, 1, found.per_image, [](const double* sums, double images, double* result) {
                                      *result = *sums / images;
                                  }});
    scores[name] = std::move(found);
}

CocoScores coco_scores(const std::vector<ScoredCaption>& captions, const CocoEvalOptions& options,
                       CocoDetails* details) {
    if (captions.empty()) throw Error(ExitCode::bad_data, "there are no captions to score");
    for (const ScoredCaption& scored : captions)
        if (scored.references.empty() && scored.reference_tokens.empty())
            throw Error(ExitCode::bad_data, "image {} has no reference captions to score against", scored.image);
    CocoDetails made = tokenise(captions, options.threads);
    CocoScores scores;
    if (options.bleu || options.rouge_l || options.cider) {
        const CountedCaptions counted("the evaluation", made.hypotheses, made.reference_tokens);
        if (options.bleu) add_bleu(counted, scores, made);
        if (options.rouge_l) add_mean_score("ROUGE_L", rouge_l(counted), scores, made);
        if (options.cider) add_mean_score("CIDEr", cider(counted, options.cider_scorer.get()), scores, made);
    }
    if (options.meteor != nullptr)
        scores["METEOR"] = meteor(made.hypotheses, made.reference_tokens, *options.meteor, options.threads,
                                  &made.statistics.emplace_back());
    if (details != nullptr) *details = std::move(made);
    return scores;
}

std::map<std::string, double> corpus_scores(const CocoScores& scores) {
    std::map<std::string, double> result;
    for (const auto& [name, values] : scores) result.emplace(name, values.corpus);
    return result;
}

}    // namespace blip
