// How far scores are known, and whether systems differ: resampling over images. Called by the verb score.
//
// Intervals are percentiles of a bootstrap (Efron and Tibshirani 1993, chapter 13): images are drawn with replacement,
// as many as there are, and the corpus score of the drawn ones is computed anew. Comparisons draw the same images for
// both systems (Koehn 2004, "Statistical significance tests for machine translation evaluation"), or exchange the two
// systems' captions of each image with probability one half (approximate randomisation; Noreen 1989, Riezler and
// Maxwell 2005). CIDEr's document frequencies are held.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "blip/metrics/caption_scores.h"

namespace blip {

struct ResamplingOptions {
    int resamples = 2000;     // of the bootstrap
    int exchanges = 10000;    // of the randomisation
    std::uint64_t seed = 1;
    int threads = 1;    // the results do not depend on it
};

// All statistics of a system's images.
class ImageStatistics {
  public:
    // Of the runs of a system (one, or several seeds), each with its metrics, over the same images: each image's mean
    // statistics. Throws bad_data where runs differ in these.
    explicit ImageStatistics(const std::vector<std::vector<SummedStatistics>>& runs);

    std::size_t images() const { return images_; }
    std::size_t width() const { return width_; }    // even: padded with zeros
    const double* of_image(std::size_t image) const { return values_.data() + image * width_; }
    const std::vector<std::string>& scores() const { return names_; }
    // From sums over as many images as there are: a score for each name.
    void score(const double* sums, double* result) const;
    std::vector<double> corpus() const;

  private:
    struct Part {
        std::size_t at, score_at;    // in the statistics and in the scores
        void (*score)(const double*, double, double*);
    };
    std::size_t images_ = 0, width_ = 0;
    std::vector<Part> parts_;
    std::vector<std::string> names_;
    std::vector<double> values_;
};

struct Interval {
    double low = 0, high = 0;    // percentiles 2.5 and 97.5, interpolated
};

// Of a pair of systems and a score, second less first.
struct Comparison {
    double difference = 0;
    Interval interval;    // of the difference
    // Probability of a difference at least as large, either way, if the systems were equally good:
    // (1 + count) / (1 + draws), over the bootstrap's differences less the observed one, and over exchanges.
    double p_bootstrap = 1, p_randomisation = 1;
};
struct ComparedPair {
    std::size_t first = 0, second = 0;    // systems
    std::vector<Comparison> by_score;
};

struct ResampledScores {
    std::vector<std::vector<Interval>> intervals;    // by system and score
    std::vector<ComparedPair> pairs;                 // every pair of systems
};

// Throws bad_data unless all systems (at least one) have the same scores and images.
ResampledScores resample_scores(const std::vector<ImageStatistics>& systems, const ResamplingOptions& options);

}    // namespace blip
