// METEOR 1.5 (Denkowski and Lavie 2014, "Meteor Universal") for English as the COCO evaluation computes it: words are
// matched exactly, by stem, by WordNet synonym and by a table of paraphrases, and what is matched in few pieces counts
// more. Called by coco_eval where the tables are.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "blip/metrics/caption_scores.h"

namespace blip {

class MeteorIndex;

// The tables: synonyms, exceptions of inflection, function words, paraphrases. Cheap to copy; may be used by several
// threads at once.
class MeteorData {
  public:
    // dir: what `env/setup.sh --with-meteor` fetches (english.words, english.synsets, english.exceptions,
    // paraphrase-en.gz); empty: default_meteor_dir(). Where their index is not beside them, or is older, it compiles
    // them in memory (seconds), and tells. Errors: missing_input for an absent file, bad_data for one that is not such
    // a table, both naming it.
    static MeteorData open(const std::filesystem::path& dir);

    const MeteorIndex& index() const { return *index_; }

  private:
    explicit MeteorData(std::shared_ptr<const MeteorIndex> index) : index_(std::move(index)) {}
    std::shared_ptr<const MeteorIndex> index_;
};

// MeteorData::open(dir); where the tables are absent or no good: what is wrong, and
// the remedy.
struct MeteorTables {
    std::optional<MeteorData> data;
    std::string problem;
};
MeteorTables find_meteor(const std::filesystem::path& dir);
// Throws missing_input unless all tables are in `dir`. Does not read them.
void require_meteor_tables(const std::filesystem::path& dir);

// Writes the index of the tables in dir beside them, so that MeteorData::open need not compile: part of the build.
// Throws as that does, and io.
void compile_meteor_index(const std::filesystem::path& dir);

// $BLIP_DEPS/meteor-1.5, else ~/.cache/blip_mpi/meteor-1.5: where env/setup.sh puts the tables.
std::filesystem::path default_meteor_dir();

// hypotheses[i] against references[i] (at least one each): per image the best over its references, the corpus score
// from these references' summed counts. Of each caption the first 512 words are aligned (the others count in its
// length), so that work stays in bounds. threads: the scores do not depend on it. statistics: of these counts, where
// they are asked for. Throws bad_data on different sizes or no references.
CaptionScores meteor(const std::vector<Tokens>& hypotheses, const std::vector<std::vector<Tokens>>& references,
                     const MeteorData& data, int threads = 1, SummedStatistics* statistics = nullptr);

}    // namespace blip
