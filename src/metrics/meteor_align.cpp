// The search for the best alignment. See meteor_align.h.
#include "src/metrics/meteor_align.h"

#include <algorithm>
#include <bitset>
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

struct Path {
    std::bitset<meteor_aligned_words> used;    // words of the reference
    std::uint32_t last = no_step;
    std::uint16_t next = 0;    // the first word of the hypothesis that is free
    bool open = false;         // the last match can still be continued
    int covered = 0, chunks = 0;
};

// Of equals the one found first stays ahead: matches before skipped words, exact ones first.
bool better(const Path& a, const Path& b) {
    if (a.covered != b.covered) return a.covered > b.covered;
    return a.chunks < b.chunks;
}

// Whole words of weight: what is worth less than one word alone counts nothing.
int worth(const MeteorMatch& match) {
    const double weight = meteor_weights[match.module];
    return static_cast<int>(weight * match.hypothesis_words) + static_cast<int>(weight * match.reference_words);
}

bool is_free(const Path& path, const MeteorMatch& match) {
    for (std::size_t j = match.reference; j < match.reference_end(); ++j)
        if (path.used[j]) return false;
    return true;
}

// Matches whose words have no other match: they are taken in any case.
void keep_only_choices(std::vector<std::vector<MeteorMatch>>& matches, std::size_t reference_words,
                       std::vector<char>& settled) {
    std::vector<int> ways_h(matches.size(), 0), ways_r(reference_words, 0);
    for (const auto& list : matches) {
        for (const MeteorMatch& match : list) {
            for (std::size_t i = match.hypothesis; i < match.hypothesis_end(); ++i) ++ways_h[i];
            for (std::size_t j = match.reference; j < match.reference_end(); ++j) ++ways_r[j];
        }
    }
    for (const auto& list : matches) {
        if (list.size() != 1) continue;
        const MeteorMatch& match = list.front();
        bool lone = true;
        for (std::size_t i = match.hypothesis; i < match.hypothesis_end(); ++i) lone &= ways_h[i] == 1;
        for (std::size_t j = match.reference; j < match.reference_end(); ++j) lone &= ways_r[j] == 1;
        if (lone) settled[match.hypothesis] = 1;
    }
}

Path with(const Path& path, const MeteorMatch& match, std::vector<Step>& steps) {
    Path longer = path;
    for (std::size_t j = match.reference; j < match.reference_end(); ++j) longer.used.set(j);
    const bool continues = path.open && steps[path.last].match.reference_end() == match.reference;
    if (path.open && !continues) ++longer.chunks;
    longer.covered += worth(match);
    longer.open = true;
    longer.next = match.hypothesis_end();
    steps.push_back({match, path.last});
    longer.last = static_cast<std::uint32_t>(steps.size() - 1);
    return longer;
}

Path without(const Path& path, std::size_t word) {
    Path longer = path;
    if (path.open) ++longer.chunks;
    longer.open = false;
    longer.next = static_cast<std::uint16_t>(word + 1);
    return longer;
}

void keep_best(std::vector<Path>& paths) {
    std::stable_sort(paths.begin(), paths.end(), better);
    if (paths.size() > beam_width) paths.resize(beam_width);
}

}    // namespace

MeteorAlignment meteor_align(std::span<const std::uint32_t> hypothesis, std::span<const std::uint32_t> reference,
                             const MeteorLexicon& lexicon) {
    hypothesis = hypothesis.first(std::min(hypothesis.size(), meteor_aligned_words));
    reference = reference.first(std::min(reference.size(), meteor_aligned_words));
    std::vector<std::vector<MeteorMatch>> matches = meteor_matches(hypothesis, reference, lexicon);
    std::vector<char> settled(hypothesis.size(), 0);
    keep_only_choices(matches, reference.size(), settled);

    std::vector<Step> steps;
    std::vector<Path> paths(1), longer;
    for (std::size_t i = 0; i < hypothesis.size(); ++i) {
        longer.clear();
        for (const Path& path : paths) {
            if (path.next > i) {    // inside a phrase that matched
                longer.push_back(path);
                continue;
            }
            for (const MeteorMatch& match : matches[i])
                if (is_free(path, match)) longer.push_back(with(path, match, steps));
            if (!settled[i]) longer.push_back(without(path, i));
        }
        keep_best(longer);
        std::swap(paths, longer);
    }
    for (Path& path : paths) path.chunks += path.open ? 1 : 0;
    keep_best(paths);

    MeteorAlignment alignment;
    alignment.chunks = static_cast<std::size_t>(paths.front().chunks);
    for (std::uint32_t at = paths.front().last; at != no_step; at = steps[at].before)
        alignment.matches.push_back(steps[at].match);
    std::reverse(alignment.matches.begin(), alignment.matches.end());
    return alignment;
}

}    // namespace blip
