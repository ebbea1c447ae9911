// The scores of a set of captions under the names of the COCO evaluation. See coco_eval.h.
#include "blip/metrics/coco_eval.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "blip/base/error.h"
#include "blip/base/parallel_for.h"
#include "blip/metrics/bleu.h"
#include "blip/metrics/cider.h"
#include "blip/metrics/ptb_tokenizer.h"
#include "blip/metrics/rouge_l.h"

namespace blip {
namespace {

struct Tokenised {
    std::vector<Tokens> hypotheses;
    std::vector<std::vector<Tokens>> references;
};

// The evaluation reads a caption a line: a line break inside one becomes a space.
Tokens tokens_of(std::string caption, std::string_view next) {
    std::replace(caption.begin(), caption.end(), '\n', ' ');
    return ptb_tokenize(caption, next);
}

// All references are one text to the tokenizer, and all captions another.
Tokenised tokenise(const std::vector<ScoredCaption>& captions, int threads) {
    Tokenised result;
    result.hypotheses.resize(captions.size());
    result.references.resize(captions.size());
    constexpr std::size_t run = 64;    // images at a time, so that threads seldom meet
    const std::size_t runs = (captions.size() + run - 1) / run;
    parallel_for(static_cast<std::int64_t>(runs), threads, [&](std::int64_t index) {
        const std::size_t begin = static_cast<std::size_t>(index) * run, end = std::min(begin + run, captions.size());
        for (std::size_t i = begin; i < end; ++i) {
            const bool last = i + 1 == captions.size();
            result.hypotheses[i] = tokens_of(captions[i].caption, last ? "" : captions[i + 1].caption);
            const std::vector<std::string>& own = captions[i].references;
            for (std::size_t k = 0; k < own.size(); ++k) {
                const std::string_view next = k + 1 < own.size() ? std::string_view(own[k + 1])
                                              : last             ? std::string_view()
                                                                 : std::string_view(captions[i + 1].references.front());
                result.references[i].push_back(tokens_of(own[k], next));
            }
        }
    });
    return result;
}

void add_bleu(const Tokenised& tokens, CocoScores& scores) {
    const BleuScores found = bleu(tokens.hypotheses, tokens.references);
    for (std::size_t n = 0; n < found.corpus.size(); ++n) {
        CaptionScores& of_n = scores[fmt::format("Bleu_{}", n + 1)];
        of_n.corpus = found.corpus[n];
        for (const auto& of_image : found.per_image) of_n.per_image.push_back(of_image[n]);
    }
}

}    // namespace

CocoScores coco_scores(const std::vector<ScoredCaption>& captions, const CocoEvalOptions& options) {
    if (captions.empty()) throw Error(ExitCode::bad_data, "there are no captions to score");
    for (const ScoredCaption& scored : captions)
        if (scored.references.empty())
            throw Error(ExitCode::bad_data,
                        fmt::format("image {} has no reference captions to score against", scored.image_id));
    const Tokenised tokens = tokenise(captions, options.threads);
    CocoScores scores;
    if (options.bleu) add_bleu(tokens, scores);
    if (options.rouge_l) scores["ROUGE_L"] = rouge_l(tokens.hypotheses, tokens.references);
    if (options.cider) scores["CIDEr"] = cider(tokens.hypotheses, tokens.references);
    return scores;
}

std::map<std::string, double> corpus_scores(const CocoScores& scores) {
    std::map<std::string, double> result;
    for (const auto& [name, values] : scores) result.emplace(name, values.corpus);
    return result;
}

}    // namespace blip
