// See ngrams.h.
#include "src/metrics/ngrams.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <string_view>

#include "blip/base/error.h"

namespace blip {

std::vector<std::uint32_t> Words::numbers(const Tokens& tokens) {
    std::vector<std::uint32_t> result;
    result.reserve(tokens.size());
    constexpr std::string_view no_break_space = "\u00a0";
    for (const std::string& token : tokens) {
        for (std::size_t at = 0; at <= token.size();) {
            const std::size_t end = std::min(token.find(no_break_space, at), token.size());
            if (end > at) result.push_back(number(token.substr(at, end - at)));
            at = end == token.size() ? end + 1 : end + no_break_space.size();
        }
    }
    return result;
}

std::uint32_t Words::number(std::string word) {
    return known_.try_emplace(std::move(word), static_cast<std::uint32_t>(known_.size() + 1)).first->second;
}

GramCounts count_grams(const std::vector<std::uint32_t>& words) {
    GramCounts counts;
    for (std::size_t start = 0; start < words.size(); ++start) {
        Gram gram{};
        for (std::size_t n = 0; n < longest_gram && start + n < words.size(); ++n) {
            gram[n] = words[start + n];
            ++counts[gram];
        }
    }
    return counts;
}

std::size_t gram_length(const Gram& gram) {
    return static_cast<std::size_t>(std::count_if(gram.begin(), gram.end(), [](auto word) { return word != 0; }));
}

double mean(const std::vector<double>& values) {
    return values.empty() ? 0 : std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

void check_references(const char* metric, std::size_t hypotheses, const std::vector<std::vector<Tokens>>& references) {
    if (hypotheses != references.size())
        throw Error(ExitCode::bad_data,
                    fmt::format("{} of {} captions against references of {} images: give one caption for each image",
                                metric, hypotheses, references.size()));
    const auto lonely =
        std::find_if(references.begin(), references.end(), [](const auto& list) { return list.empty(); });
    if (lonely != references.end())
        throw Error(ExitCode::bad_data, fmt::format("{}: caption {} has no reference; leave such images out", metric,
                                                    lonely - references.begin()));
}

}    // namespace blip
