// What every metric takes and gives. Used by the metrics and by coco_eval.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <vector>

namespace blip {

using Tokens = std::vector<std::string>;

struct CaptionScores {
    double corpus = 0;
    std::vector<double> per_image;    // same order as the input
};

// What corpus scores are computed from: sums over images. Of any part of the images, and of any resample of them, the
// corpus scores follow from the sums over it (metrics/resampling.h).
struct SummedStatistics {
    std::vector<std::string> scores;    // their names
    std::size_t width = 0;              // statistics of an image
    std::vector<double> values;         // image by image
    // sums (width of them) over so many images -> the scores, in the order of their names
    void (*score)(const double* sums, double images, double* result) = nullptr;
};

double mean(const std::vector<double>& values);    // 0 of none

// The members of a struct that has doubles alone, to be summed and kept among statistics (std::bit_cast).
template <class Counts>
using DoublesOf = std::array<double, sizeof(Counts) / sizeof(double)>;

}    // namespace blip
