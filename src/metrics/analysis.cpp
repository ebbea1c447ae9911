// See analysis.h.
#include "blip/metrics/analysis.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string_view>
#include <unordered_set>

namespace blip {
namespace {

double share_of(std::size_t part, std::size_t whole) {
    return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}    // namespace

bool is_bad_ending(const Tokens& words) {
    static constexpr std::string_view bad[] = {"a",     "an", "the",  "in",   "for", "at", "of",  "with", "before",
                                               "after", "on", "upon", "near", "to",  "is", "are", "am"};
    return !words.empty() && std::find(std::begin(bad), std::end(bad), words.back()) != std::end(bad);
}

CaptionAnalysis analyse_captions(const std::vector<Tokens>& hypotheses,
                                 const std::vector<std::vector<Tokens>>& references) {
    std::unordered_set<std::string_view> known, words;
    std::set<std::pair<std::string_view, std::string_view>> pairs;
    for (const auto& of_image : references)
        for (const Tokens& tokens : of_image) known.insert(tokens.begin(), tokens.end());
    std::size_t all_words = 0, all_pairs = 0, bad = 0;
    for (const Tokens& tokens : hypotheses) {
        words.insert(tokens.begin(), tokens.end());
        all_words += tokens.size();
        for (std::size_t i = 1; i < tokens.size(); ++i, ++all_pairs) pairs.emplace(tokens[i - 1], tokens[i]);
        bad += is_bad_ending(tokens) ? 1 : 0;
    }
    const auto unseen = std::count_if(words.begin(), words.end(), [&](auto word) { return !known.contains(word); });
    CaptionAnalysis result;
    result.mean_length = share_of(all_words, hypotheses.size());
    result.vocabulary = words.size();
    result.unseen_words = share_of(static_cast<std::size_t>(unseen), words.size());
    result.distinct_1 = share_of(words.size(), all_words);
    result.distinct_2 = share_of(pairs.size(), all_pairs);
    result.bad_endings = share_of(bad, hypotheses.size());
    return result;
}

}    // namespace blip
