// The scores of a set of captions under the names of the COCO evaluation. Called by eval/evaluator on rank 0.
#include "blip/metrics/coco_eval.h"

#include <fmt/format.h>

#include "blip/base/error.h"
#include "blip/metrics/bleu.h"
#include "blip/metrics/cider.h"
#include "blip/metrics/ptb_tokenizer.h"
#include "blip/metrics/rouge_l.h"

namespace blip {

std::map<std::string, double> coco_scores(const std::vector<ScoredCaption>& captions) {
    std::vector<Tokens> hypotheses;
    std::vector<std::vector<Tokens>> references;
    for (const ScoredCaption& scored : captions) {
        if (scored.references.empty()) {
            throw Error(ExitCode::bad_data,
                        fmt::format("image {} has no reference captions to score against", scored.image_id));
        }
    }
    // the evaluation tokenises all references as one text, and all captions as another
    std::string_view after_captions, after_references;
    hypotheses.resize(captions.size());
    references.resize(captions.size());
    for (std::size_t i = captions.size(); i-- > 0;) {
        const ScoredCaption& scored = captions[i];
        hypotheses[i] = ptb_tokenize(scored.caption, after_captions);
        after_captions = scored.caption;
        references[i].resize(scored.references.size());
        for (std::size_t k = scored.references.size(); k-- > 0;) {
            references[i][k] = ptb_tokenize(scored.references[k], after_references);
            after_references = scored.references[k];
        }
    }
    const BleuScores scores = bleu(hypotheses, references);
    std::map<std::string, double> result;
    for (std::size_t n = 0; n < scores.corpus.size(); ++n) result[fmt::format("Bleu_{}", n + 1)] = scores.corpus[n];
    result["ROUGE_L"] = rouge_l(hypotheses, references).corpus;
    result["CIDEr"] = cider(hypotheses, references).corpus;
    return result;
}

}    // namespace blip
