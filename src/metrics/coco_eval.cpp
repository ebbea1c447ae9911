// The scores of a set of captions under the names of the COCO evaluation. Called by eval/evaluator on rank 0.
#include "blip/metrics/coco_eval.h"

#include <fmt/format.h>

#include "blip/base/error.h"
#include "blip/metrics/bleu.h"
#include "blip/metrics/ptb_tokenizer.h"

namespace blip {

std::map<std::string, double> coco_scores(const std::vector<ScoredCaption>& captions) {
    std::vector<Tokens> hypotheses;
    std::vector<std::vector<Tokens>> references;
    hypotheses.reserve(captions.size());
    references.reserve(captions.size());
    for (const ScoredCaption& scored : captions) {
        if (scored.references.empty()) {
            throw Error(ExitCode::bad_data, fmt::format("image {} has no reference captions to score against", scored.image_id));
        }
        hypotheses.push_back(ptb_tokenize(scored.caption));
        std::vector<Tokens>& tokenized = references.emplace_back();
        for (const std::string& reference : scored.references) tokenized.push_back(ptb_tokenize(reference));
    }
    const BleuScores scores = bleu(hypotheses, references);
    std::map<std::string, double> result;
    for (std::size_t n = 0; n < scores.corpus.size(); ++n) result[fmt::format("Bleu_{}", n + 1)] = scores.corpus[n];
    return result;
}

}    // namespace blip
