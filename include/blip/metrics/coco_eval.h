// Scores captions the way the COCO evaluation does: tokenise, then every metric that was asked for.
// Called by eval/evaluator on rank 0 and by the verb score.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "blip/metrics/caption_scores.h"

namespace blip {

struct ScoredCaption {
    std::int64_t image_id = 0;    // for messages
    std::string caption;
    std::vector<std::string> references;
};

struct CocoEvalOptions {
    bool bleu = true, rouge_l = true, cider = true;
    int threads = 1;    // that tokenise; the scores do not depend on it
};

// By metric, as pycocoevalcap names them: "Bleu_1" .. "Bleu_4", "ROUGE_L", "CIDEr".
using CocoScores = std::map<std::string, CaptionScores>;

// captions: in the order in which the evaluation would read them (sentence context crosses captions). Throws bad_data
// for an image without references, and if there are no captions.
CocoScores coco_scores(const std::vector<ScoredCaption>& captions, const CocoEvalOptions& options = {});

// metric -> corpus score
std::map<std::string, double> corpus_scores(const CocoScores& scores);

}    // namespace blip
