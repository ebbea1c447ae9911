// The search for the best alignment. See meteor_align.h.
//
// A beam goes along the reference. At each word a path takes one of the matches that begin there, or leaves the word.
// The paper's order of criteria ends with the smallest distance between matched words; the oracle, as was seen by
// giving it captions that tie in all else, adds up the distances of what a path declined: of the matches that were free
// to it and stand before the one taken, or of all of them where the word is left. The scores of whole collections
// depend on it, so it is done here in the same way. Seen in the same manner: a match's worth is cut to whole words on
// each side; a match none of whose words has another is always taken; chunks are counted when they end; 40 paths are
// kept.
#include "src/metrics/meteor/align.h"

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
    std::uint32_t match = 0, before = no_step;
};

// How good a path is, as one number; smaller is better: first the words covered, then chunks, then the distance of the
// matches that were not taken.
constexpr std::uint64_t nothing_covered = std::uint64_t{0xFFFF} << 48, one_chunk = std::uint64_t{1} << 32;

// Words: at least as many as the hypothesis has.
template <std::size_t Words>
struct Path {
    std::bitset<Words> used;    // words of the hypothesis
    std::uint64_t order = nothing_covered;
    std::uint32_t last = no_step;    // Step
    std::uint16_t next = 0;          // the first word of the reference that is free
    std::uint16_t continued = 0;     // where the open chunk would go on in the hypothesis
    bool open = false;

    void close() {
        if (open) order += one_chunk;
        open = false;
    }
};

// Whole words of weight: what is worth less than one word alone counts nothing.
std::uint64_t worth(const MeteorMatch& match) {
    const double weight = meteor_weights[match.module];
    const int words =
        static_cast<int>(weight * match.hypothesis_words) + static_cast<int>(weight * match.reference_words);
    return static_cast<std::uint64_t>(words) << 48;
}

template <std::size_t Words>
class Search {
  public:
    // lone: whether all words of a match have no other one
    template <class Lone>
    void run(const std::vector<MeteorMatch>& matches, std::size_t reference_words, const Lone& lone,
             MeteorAlignment& alignment) {
        paths_.assign(1, {});
        steps_.clear();
        std::size_t first = 0;
        for (std::size_t word = 0; word < reference_words; ++word) {
            std::size_t last = first;
            while (last < matches.size() && matches[last].reference == word) ++last;
            if (first == last) {
                for (Path<Words>& path : paths_)
                    if (path.next <= word) path.close();    // else it is inside a phrase that matched
                sort_paths();
            } else if (last == first + 1 && lone(matches[first])) {    // it is free to all paths
                for (Path<Words>& path : paths_) take(path, matches, first);
                sort_paths();
            } else {
                choose(matches, word, first, last);
            }
            first = last;
        }
        for (Path<Words>& path : paths_) path.close();
        const auto best = std::min_element(paths_.begin(), paths_.end(),
                                           [](const auto& a, const auto& b) { return a.order < b.order; });
        alignment.chunks = best->order >> 32 & 0xFFFF;
        alignment.matches.clear();
        for (std::uint32_t at = best->last; at != no_step; at = steps_[at].before)
            alignment.matches.push_back(matches[steps_[at].match]);
        std::reverse(alignment.matches.begin(), alignment.matches.end());
    }

  private:
    static constexpr std::uint32_t inside = no_step, leave = no_step - 1;

    // A match that begins at the word in question.
    struct Move {
        std::bitset<Words> uses;
        std::uint64_t worth;
        std::uint32_t distance;
        std::uint16_t hypothesis;
    };
    // A path, and how it goes on: with a match, or with one of the two above.
    struct Choice {
        std::uint64_t order;
        std::uint32_t at, path, match;
        bool operator<(const Choice& other) const {    // equals in the order in which they came
            return order != other.order ? order < other.order : at < other.at;
        }
    };

    void take(Path<Words>& path, const std::vector<MeteorMatch>& matches, std::size_t m) {
        const MeteorMatch& match = matches[m];
        for (std::size_t i = match.hypothesis; i < match.hypothesis_end(); ++i) path.used.set(i);
        if (path.continued != match.hypothesis) path.close();
        path.open = true;
        path.continued = match.hypothesis_end();
        path.next = match.reference_end();
        path.order -= worth(match);
        steps_.push_back({static_cast<std::uint32_t>(m), path.last});
        path.last = static_cast<std::uint32_t>(steps_.size() - 1);
    }

    // Best first; equals in the order in which they are.
    void sort_paths() {
        const auto better = [](const auto& a, const auto& b) { return a.order < b.order; };
        if (!std::is_sorted(paths_.begin(), paths_.end(), better))
            std::stable_sort(paths_.begin(), paths_.end(), better);
    }

    // Of all ways in which the paths can go on, the best become the paths; only for these there is a Step.
    void choose(const std::vector<MeteorMatch>& matches, std::size_t word, std::size_t first, std::size_t last) {
        moves_.clear();
        for (std::size_t m = first; m < last; ++m) {
            const MeteorMatch& match = matches[m];
            Move& move = moves_.emplace_back();
            for (std::size_t i = match.hypothesis; i < match.hypothesis_end(); ++i) move.uses.set(i);
            move.worth = worth(match);
            move.distance = static_cast<std::uint32_t>(std::abs(int{match.hypothesis} - int{match.reference}));
            move.hypothesis = match.hypothesis;
        }
        choices_.clear();
        for (std::uint32_t p = 0; p < paths_.size(); ++p) add_choices(p, word, static_cast<std::uint32_t>(first));
        if (choices_.size() > beam_width) {
            std::nth_element(choices_.begin(), choices_.begin() + beam_width, choices_.end());
            choices_.resize(beam_width);
        }
        if (!std::is_sorted(choices_.begin(), choices_.end())) std::sort(choices_.begin(), choices_.end());
        longer_.clear();
        for (const Choice& choice : choices_) {
            Path<Words>& path = longer_.emplace_back(paths_[choice.path]);
            if (choice.match == leave)
                path.open = false;
            else if (choice.match != inside)
                take(path, matches, choice.match);
            path.order = choice.order;
        }
        paths_.swap(longer_);
    }

    void add_choices(std::uint32_t p, std::size_t word, std::uint32_t first) {
        const Path<Words>& path = paths_[p];
        const auto add = [&](std::uint64_t order, std::uint32_t match) {
            choices_.push_back({order, static_cast<std::uint32_t>(choices_.size()), p, match});
        };
        if (path.next > word) return add(path.order, inside);
        const std::uint64_t closed = path.order + (path.open ? one_chunk : 0);
        std::uint32_t declined = 0;
        for (std::uint32_t m = 0; m < moves_.size(); ++m) {
            const Move& move = moves_[m];
            if ((path.used & move.uses).any()) continue;
            add((path.continued == move.hypothesis ? path.order : closed) - move.worth + declined, first + m);
            declined += move.distance;
        }
        add(closed + declined, leave);
    }

    std::vector<Step> steps_;
    std::vector<Path<Words>> paths_, longer_;
    std::vector<Move> moves_;
    std::vector<Choice> choices_;
};

}    // namespace

struct MeteorAligner::Searches {
    Search<64> usual;
    Search<meteor_aligned_words> longest;
};

MeteorAligner::MeteorAligner(const MeteorLexicon& lexicon)
    : matcher_(lexicon), searches_(std::make_unique<Searches>()) {}

MeteorAligner::~MeteorAligner() = default;

const MeteorAlignment& MeteorAligner::align(std::span<const std::uint32_t> reference) {
    reference = reference.first(std::min(reference.size(), meteor_aligned_words));
    const std::vector<MeteorMatch>& matches = matcher_.matches(reference);
    const std::size_t hypothesis_words = matcher_.aligned().size();
    ways_hypothesis_.assign(hypothesis_words, 0);
    ways_reference_.assign(reference.size(), 0);
    const auto one_more = [](std::uint16_t& ways) { ways = static_cast<std::uint16_t>(std::min(ways + 1, 2)); };
    for (const MeteorMatch& match : matches) {
        for (std::size_t i = match.hypothesis; i < match.hypothesis_end(); ++i) one_more(ways_hypothesis_[i]);
        for (std::size_t j = match.reference; j < match.reference_end(); ++j) one_more(ways_reference_[j]);
    }
    const auto lone = [&](const MeteorMatch& match) {
        bool alone = true;
        for (std::size_t i = match.hypothesis; i < match.hypothesis_end(); ++i) alone &= ways_hypothesis_[i] == 1;
        for (std::size_t j = match.reference; j < match.reference_end(); ++j) alone &= ways_reference_[j] == 1;
        return alone;
    };
    if (hypothesis_words <= 64)
        searches_->usual.run(matches, reference.size(), lone, alignment_);
    else
        searches_->longest.run(matches, reference.size(), lone, alignment_);
    return alignment_;
}

}    // namespace blip
