// n-grams of captions as numbers: what BLEU and CIDEr count. Internal to the metrics layer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "blip/metrics/caption_scores.h"

namespace blip {

inline constexpr std::size_t longest_gram = 4;

// Words as numbers from 1, equal words equal numbers. A no-break space inside a token separates words here (as in the
// oracle).
class Words {
  public:
    std::vector<std::uint32_t> numbers(const Tokens& tokens);

  private:
    std::uint32_t number(std::string word);
    std::unordered_map<std::string, std::uint32_t> known_;
};

// Up to four word numbers; 0 = no word.
using Gram = std::array<std::uint32_t, longest_gram>;
struct GramHash {
    std::size_t operator()(const Gram& gram) const {
        std::uint64_t hash = 0;
        for (const std::uint32_t word : gram) hash = (hash ^ word) * 0x9E3779B97F4A7C15ull + (hash >> 29);
        return hash;
    }
};
using GramCounts = std::unordered_map<Gram, int, GramHash>;

// All n-grams of 1 to 4 words with how often each occurs.
GramCounts count_grams(const std::vector<std::uint32_t>& words);

// 1 to 4
std::size_t gram_length(const Gram& gram);

double mean(const std::vector<double>& values);    // 0 of none

// Throws bad_data unless each hypothesis has one list of references, and none of these is empty. metric: for the
// message.
void check_references(const char* metric, std::size_t hypotheses, const std::vector<std::vector<Tokens>>& references);

}    // namespace blip
