// Scores captions the way the COCO evaluation does: tokenise, then every metric that was asked for.
// Called by tasks/caption/evaluator on rank 0 and by the verb score.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "blip/metrics/caption_scores.h"
#include "blip/metrics/cider.h"

namespace blip {

class MeteorData;

struct ScoredCaption {
    std::string image;    // for messages
    std::string caption;
    std::vector<std::string> references;
    // Their tokens, where these were made elsewhere: then in all captions that are scored together; references may be
    // empty.
    std::vector<Tokens> reference_tokens{};
};

struct CocoEvalOptions {
    bool bleu = true, rouge_l = true, cider = true;
    const MeteorData* meteor = nullptr;    // its tables; METEOR is left out without them
    int threads = 1;                       // that tokenise and compute METEOR; the scores do not depend on it
    // of CIDEr; null: document frequencies are those of the references that are scored
    std::shared_ptr<const CiderScorer> cider_scorer{};
};

// By metric, as pycocoevalcap names them: "Bleu_1" .. "Bleu_4", "METEOR", "ROUGE_L", "CIDEr".
using CocoScores = std::map<std::string, CaptionScores>;

// What the scores were made of.
struct CocoDetails {
    std::vector<SummedStatistics> statistics;    // of all metrics, for resampling
    std::vector<Tokens> hypotheses;              // in the order of the captions
    std::vector<std::vector<Tokens>> reference_tokens;
};

// captions: in the order in which the evaluation would read them (sentence context crosses captions). Throws bad_data
// for an image without references, and if there are no captions. details: filled where it is asked for.
CocoScores coco_scores(const std::vector<ScoredCaption>& captions, const CocoEvalOptions& options = {},
                       CocoDetails* details = nullptr);

// Adds a metric whose corpus score is the mean of its images', and to details its statistics.
void add_mean_score(const char* name, CaptionScores found, CocoScores& scores, CocoDetails& details);

// metric -> corpus score
std::map<std::string, double> corpus_scores(const CocoScores& scores);

}    // namespace blip
