// Scores captions the way the COCO evaluation does: tokenise, then every metric that exists here.
// Called by eval/evaluator on rank 0.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace blip {

struct ScoredCaption {
    std::int64_t image_id = 0;
    std::string caption;
    std::vector<std::string> references;
};

// Keys as pycocoevalcap names them: "Bleu_1" .. "Bleu_4", "ROUGE_L", "CIDEr".
std::map<std::string, double> coco_scores(const std::vector<ScoredCaption>& captions);

}    // namespace blip
