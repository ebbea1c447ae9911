// Captions as numbers: what BLEU, ROUGE-L and CIDEr count and compare, made once for all three. Internal to the metrics
// layer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "blip/metrics/bleu.h"
#include "blip/metrics/caption_scores.h"
#include "blip/metrics/cider.h"

namespace blip {

inline constexpr std::size_t longest_gram = 4;

// How often a caption has an n-gram.
struct GramCount {
    std::uint32_t gram = 0;
    std::uint32_t count = 0;
};

// A caption's n-grams as a table that does not grow knows them.
struct FoundGrams {
    std::vector<GramCount> known;    // ordered by number
    // of the others, by n - 1: how often each occurs
    std::array<std::vector<std::uint32_t>, longest_gram> unknown_counts;
    std::uint32_t words = 0;
};

// Words as numbers from 1, n-grams of 1 to 4 words as numbers from 0, equal ones equal numbers, in order of appearance.
class GramTable {
  public:
    std::uint32_t word(std::string_view text);
    // Appends the caption's n-grams, ordered by number.
    void count(std::span<const std::uint32_t> words, std::vector<GramCount>& counts);
    // The number of an n-gram, words with single spaces between; new ones are added.
    std::uint32_t add(std::string_view gram);
    // By n-gram of this table: its number in the other one, npos if that has it not.
    std::vector<std::uint32_t> numbers_in(const GramTable& other) const;
    // Of a caption, as CountedCaptions counts them.
    FoundGrams find_all(const Tokens& caption) const;
    std::string text(std::uint32_t gram) const;
    // How many n-grams there are, and of how many words one is.
    std::size_t size() const { return grams_.size(); }
    std::size_t length(std::uint32_t gram) const { return grams_[gram].length; }
    static constexpr std::uint32_t npos = 0xFFFFFFFF;

  private:
    struct GramEntry {
        std::uint32_t beginning;    // the n-gram without its last word; npos for one word
        std::uint32_t last_word;
        std::uint8_t length;
    };
    struct TextHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };
    std::size_t slot_of(std::uint32_t beginning, std::uint32_t last_word) const;
    std::uint32_t gram(std::uint32_t beginning, std::uint32_t last_word);
    std::uint32_t find(std::uint32_t beginning, std::uint32_t last_word) const {
        return slots_.empty() ? npos : slots_[slot_of(beginning, last_word)];
    }
    void grow();

    std::unordered_map<std::string, std::uint32_t, TextHash, std::equal_to<>> words_;
    std::vector<const std::string*> word_texts_;
    std::vector<GramEntry> grams_;
    std::vector<std::uint32_t> slots_;    // open addressing: numbers of n-grams, npos where free; a power of two
    std::vector<std::uint32_t> scratch_;
};

struct CountedCaption {
    std::span<const std::uint32_t> tokens;    // as numbers of words: ROUGE-L's units
    std::span<const GramCount> grams;         // of words, ordered by number; a no-break space separates words
    std::uint32_t words = 0;
};

class CountedCaptions {
  public:
    // hypotheses[i] against references[i]. Throws bad_data unless each hypothesis has one list of references, and none
    // of these is empty. metric: for the message. known: n-grams that have their numbers already. The tokens need not
    // outlive the call.
    CountedCaptions(const char* metric, const std::vector<Tokens>& hypotheses,
                    const std::vector<std::vector<Tokens>>& references, GramTable known = {});
    CountedCaptions(const CountedCaptions&) = delete;
    CountedCaptions& operator=(const CountedCaptions&) = delete;

    std::size_t images() const { return first_.size() - 1; }
    CountedCaption hypothesis(std::size_t image) const { return at(first_[image]); }
    std::size_t reference_count(std::size_t image) const { return first_[image + 1] - first_[image] - 1; }
    CountedCaption reference(std::size_t image, std::size_t k) const { return at(first_[image] + 1 + k); }
    const GramTable& grams() const { return table_; }

  private:
    struct Place {
        std::size_t token, gram;    // where the caption begins
        std::uint32_t words;
    };
    void add(const Tokens& tokens);
    CountedCaption at(std::size_t caption) const;

    GramTable table_;
    std::vector<std::uint32_t> tokens_, scratch_;
    std::vector<GramCount> counts_;
    std::vector<Place> places_;         // of hypothesis and references of each image in turn, and the end
    std::vector<std::size_t> first_;    // of each image in places_, and the end
};

// Throws bad_data unless each hypothesis has one list of references, and none of these is empty.
void check_references(const char* metric, std::size_t hypotheses, const std::vector<std::vector<Tokens>>& references);

BleuScores bleu(const CountedCaptions& captions);
CaptionScores rouge_l(const CountedCaptions& captions);
CaptionScores cider(const CountedCaptions& captions, const CiderScorer* scorer);
// By n-gram: in how many images a reference has it.
std::vector<std::int64_t> count_images(const CountedCaptions& captions);
DocumentFrequencies document_frequencies(const std::vector<std::vector<Tokens>>& references);

}    // namespace blip
