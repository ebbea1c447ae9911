// See the header. Used for names of options and for values that are one of a few words.
#include "src/options/nearest_word.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace blip {
namespace {

// Levenshtein distance of two short words.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), 0U);
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0]++;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t substitute = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = std::min({row[j + 1] + 1, row[j] + 1, substitute});
        }
    }
    return row.back();
}

}    // namespace

std::string nearest_word(std::string_view word, const std::vector<std::string>& known) {
    std::string best;
    std::size_t smallest = 3;
    for (const auto& candidate : known) {
        if (candidate.substr(0, 1) != word.substr(0, 1)) continue;
        std::size_t distance = edit_distance(word, candidate);
        // three letters in common by chance are no resemblance
        if (distance >= std::max(word.size(), candidate.size())) continue;
        const bool one_starts_with_other =
            word.size() > 2 && (word.starts_with(candidate) || candidate.starts_with(word));
        if (one_starts_with_other) distance = std::min<std::size_t>(distance, 1);
        if (distance < smallest) {
            smallest = distance;
            best = candidate;
        }
    }
    return best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known, const char* prefix) {
    const std::string nearest = nearest_word(word, known);
    return nearest.empty() ? "" : fmt::format("; did you mean {}{}?", prefix, nearest);
}

}    // namespace blip
