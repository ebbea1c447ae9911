// What every metric takes and gives. Used by the metrics and by coco_eval.
#pragma once

#include <string>
#include <vector>

namespace blip {

using Tokens = std::vector<std::string>;

struct CaptionScores {
    double corpus = 0;
    std::vector<double> per_image;    // same order as the input
};

}    // namespace blip
