// Scores of a split's captions: its references are tokenised by all ranks, counted on rank 0; NoCaps' domains each by
// itself; published figures beside ours. Called by the evaluator and the verb evaluate.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "blip/data/packed/dataset.h"
#include "blip/metrics/coco_eval.h"
#include "blip/metrics/signature.h"
#include "blip/options/options.h"

namespace blip {

struct SplitEvaluation;

// What scores need beside captions and the packed references.
struct ScoringFiles {
    std::shared_ptr<const CiderScorer> cider_scorer{};    // --cider-df
    std::string frequencies{};                            // its digest
    // --nocaps: the keys of its file's images, and those it names a domain for.
    bool nocaps = false;
    std::unordered_set<std::string> nocaps_images{};
    std::map<std::string, std::string> domains{};
};
// Errors: missing_input, io; bad_data naming file and place.
ScoringFiles read_scoring_files(const EvaluateOptions& options);
// Throws bad_data if a NoCaps file was given and lacks an image of these splits.
void check_nocaps_images(const ScoringFiles& files, const EvaluateOptions& options,
                         const std::vector<std::string>& splits, const PackedDataset& dataset);

// References of a split's first `images` images as the metrics' tokenizer reads them: one text, a caption a line.
class ReferenceLines {
  public:
    // The split must outlive it.
    ReferenceLines(const SplitTables& split, std::int64_t images);
    // Tokens of a rank's share of the lines, joined to be sent.
    std::string tokens_of_share(int rank, int ranks, int threads) const;
    // By image, from the shares of all ranks in order. Empty for an image without references.
    std::vector<std::vector<Tokens>> by_image(const std::vector<std::string>& shares) const;
    // Of the images that have references.
    ReferenceSet set(const SplitTables& split) const;

  private:
    std::vector<std::string_view> lines_;
    std::vector<std::size_t> first_;    // line of each image, and the end
};

// What the scores of each image were made of: of the images that have references, in the evaluation's order.
struct ImageScores {
    std::vector<std::int64_t> image_rows;
    std::vector<ScoredCaption> captions;
    CocoDetails details;
    CocoScores scores;
};

// Fills the evaluation's scores and their signature from its captions. references: by image row; set: of these. Each
// image's are returned.
ImageScores score_split(SplitEvaluation& evaluation, std::vector<std::vector<Tokens>> references,
                        const ReferenceSet& set, const ScoringFiles& files, const CocoEvalOptions& options);

// A table of the evaluation's scores beside published runs of the reference, a line each; empty unless the split is
// val or test of the Karpathy split, in full.
std::vector<std::string> beside_published(const SplitEvaluation& evaluation, const PackedDataset& dataset);
// The same, for a split of so many images from a data set of this description (PackedDataset::source).
std::vector<std::string> beside_published(const SplitEvaluation& evaluation, std::int64_t split_images,
                                          const std::string& source);

}    // namespace blip
