// The search for the best alignment. See meteor_align.h.
//
// A beam goes along the reference. At each word a path takes one of the matches that begin there, or leaves the word.
// The paper's order of criteria ends with the smallest distance between matched words; the oracle, as was seen by
// giving it captions that tie in all else, adds up the distances of what a path declined: of the matches that were free
// to it and stand before the one taken, or of all of them where the word is left. The scores of whole collections
// depend on it, so it is done here in the same way. Seen in the same manner: a match's worth is cut to whole words on
// each side; a match none of whose words has another is always taken; chunks are counted when they end; 40 paths are
// kept.
#include "src/metrics/meteor_align.h"

#include <algorithm>
#include <bitset>
#include <cstdlib>
#include <limits>

namespace blip {
namespace {

constexpr std::size_t beam_width = 40;
constexpr std::uint32_t no_step = std::numeric_limits<std::uint32_t>::max();

// A match taken, and the one taken before it.
struct Step {
    MeteorMatch match;
    std::uint32_t before = no_step;
};

// Words: at least as many as the hypothesis has.
template <std::size_t Words>
struct Path {
    std::bitset<Words> used;         // words of the hypothesis
    std::uint32_t last = no_step;    // Step
    std::uint32_t declined = 0;      // distance of the matches that were not taken
    std::uint16_t covered = 0, chunks = 0;
    std::uint16_t next = 0;         // the first word of the reference that is free
    std::uint16_t continued = 0;    // where the open chunk would go on in the hypothesis
    bool open = false;

    // smaller is better
    std::uint64_t order() const {
        constexpr std::uint64_t most = std::numeric_limits<std::uint16_t>::max();
        return (most - covered) << 48 | std::uint64_t{chunks} << 32 | declined;
    }
    void close() {
        if (open) ++chunks;
        open = false;
    }
};

// Whole words of weight: what is worth less than one word alone counts nothing.
std::uint16_t worth(const MeteorMatch& match) {
    const double weight = meteor_weights[match.module];
    return static_cast<std::uint16_t>(static_cast<int>(weight * match.hypothesis_words) +
                                      static_cast<int>(weight * match.reference_words));
}

// Of each match whether all its words have no other one.
std::vector<char> lone_matches(const std::vector<MeteorMatch>& matches, std::size_t hypothesis_words,
                               std::size_t reference_words) {
    std::vector<int> ways_h(hypothesis_words, 0), ways_r(reference_words, 0);
    for (const MeteorMatch& match : matches) {
        for (std::size_t i = match.hypothesis; i < match.hypothesis_end(); ++i) ++ways_h[i];
        for (std::size_t j = match.reference; j < match.reference_end(); ++j) ++ways_r[j];
    }
    std::vector<char> lone(matches.size(), 1);
    for (std::size_t m = 0; m < matches.size(); ++m) {
        const MeteorMatch& match = matches[m];
        for (std::size_t i = match.hypothesis; i < match.hypothesis_end(); ++i) lone[m] &= ways_h[i] == 1;
        for (std::size_t j = match.reference; j < match.reference_end(); ++j) lone[m] &= ways_r[j] == 1;
    }
    return lone;
}

template <std::size_t Words>
class Search {
  public:
    Search(const std::vector<MeteorMatch>& matches, const std::vector<char>& lone) : matches_(matches), lone_(lone) {
        paths_.reserve(beam_width);
        longer_.reserve(2 * beam_width);
        ranks_.reserve(2 * beam_width);
        steps_.reserve(4 * matches.size());
    }

    MeteorAlignment run(std::size_t reference_words) {
        paths_.resize(1);
        std::size_t first = 0;
        for (std::size_t word = 0; word < reference_words; ++word) {
            std::size_t last = first;
            while (last < matches_.size() && matches_[last].reference == word) ++last;
            longer_.clear();
            for (const Path<Words>& path : paths_) {
                if (path.next > word)    // inside a phrase that matched
                    longer_.push_back(path);
                else
                    extend(path, word, first, last);
            }
            keep_best();
            first = last;
        }
        for (Path<Words>& path : paths_) path.close();
        const auto best = std::min_element(paths_.begin(), paths_.end(),
                                           [](const auto& a, const auto& b) { return a.order() < b.order(); });
        MeteorAlignment alignment;
        alignment.chunks = best->chunks;
        for (std::uint32_t at = best->last; at != no_step; at = steps_[at].before)
            alignment.matches.push_back(steps_[at].match);
        std::reverse(alignment.matches.begin(), alignment.matches.end());
        return alignment;
    }

  private:
    void extend(const Path<Words>& path, std::size_t word, std::size_t first, std::size_t last) {
        std::uint32_t declined = 0;
        for (std::size_t m = first; m < last; ++m) {
            const MeteorMatch& match = matches_[m];
            bool free = true;
            for (std::size_t i = match.hypothesis; i < match.hypothesis_end(); ++i) free = free && !path.used[i];
            if (!free) continue;
            take(path, match, declined);
            declined += static_cast<std::uint32_t>(std::abs(int{match.hypothesis} - int{match.reference}));
        }
        if (last == first + 1 && lone_[first]) return;
        Path<Words>& left = longer_.emplace_back(path);
        left.close();
        left.next = static_cast<std::uint16_t>(word + 1);
        left.declined += declined;
    }

    void take(const Path<Words>& path, const MeteorMatch& match, std::uint32_t declined) {
        Path<Words>& taken = longer_.emplace_back(path);
        for (std::size_t i = match.hypothesis; i < match.hypothesis_end(); ++i) taken.used.set(i);
        if (taken.continued != match.hypothesis) taken.close();
        taken.open = true;
        taken.continued = match.hypothesis_end();
        taken.next = match.reference_end();
        taken.covered = static_cast<std::uint16_t>(taken.covered + worth(match));
        taken.declined += declined;
        steps_.push_back({match, path.last});
        taken.last = static_cast<std::uint32_t>(steps_.size() - 1);
    }

    // The best of longer_ become paths_; equals in the order in which they came.
    void keep_best() {
        ranks_.clear();
        for (std::size_t p = 0; p < longer_.size(); ++p) ranks_.emplace_back(longer_[p].order(), p);
        if (ranks_.size() > beam_width) {
            std::nth_element(ranks_.begin(), ranks_.begin() + beam_width, ranks_.end());
            ranks_.resize(beam_width);
        }
        if (!std::is_sorted(ranks_.begin(), ranks_.end())) std::sort(ranks_.begin(), ranks_.end());
        paths_.clear();
        for (const auto& [order, p] : ranks_) paths_.push_back(longer_[p]);
    }

    const std::vector<MeteorMatch>& matches_;
    const std::vector<char>& lone_;
    std::vector<Step> steps_;
    std::vector<Path<Words>> paths_, longer_;
    std::vector<std::pair<std::uint64_t, std::size_t>> ranks_;
};

}    // namespace

MeteorAlignment meteor_align(const MeteorHypothesis& hypothesis, std::span<const std::uint32_t> reference,
                             const MeteorLexicon& lexicon) {
    reference = reference.first(std::min(reference.size(), meteor_aligned_words));
    const std::vector<MeteorMatch> matches = meteor_matches(hypothesis, reference, lexicon);
    const std::vector<char> lone = lone_matches(matches, hypothesis.aligned().size(), reference.size());
    if (hypothesis.aligned().size() <= 64) return Search<64>(matches, lone).run(reference.size());
    return Search<meteor_aligned_words>(matches, lone).run(reference.size());
}

}    // namespace blip
