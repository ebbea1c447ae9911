// Alignment of two captions: which words of the hypothesis stand for which of the reference. Internal to the metrics
// layer.
#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "src/metrics/meteor/index.h"

namespace blip {

// How words can match, best first; the weights are those of the paper's English "rank" task.
inline constexpr std::array<double, 4> meteor_weights = {1.0, 0.6, 0.8, 0.6};    // exact, stem, synonym, paraphrase

struct MeteorWord {
    std::uint32_t table = MeteorIndex::no_word;    // its number in the index
    std::uint32_t phrase = 0;                      // the word alone as a phrase of the index; 0 if none begins with it
    std::uint32_t stem = 0;                        // equal for words of equal stem
    bool function = false;
    std::vector<std::uint32_t> synonyms;    // other words of the lexicon that share a synonym set with it, ascending
};

// All words of the captions to score, numbered. Filled by one thread, then read by any number.
class MeteorLexicon {
  public:
    explicit MeteorLexicon(const MeteorIndex& index);
    ~MeteorLexicon();
    MeteorLexicon(const MeteorLexicon&) = delete;
    MeteorLexicon& operator=(const MeteorLexicon&) = delete;

    std::uint32_t number(const std::string& word);
    const MeteorWord& operator[](std::uint32_t number) const { return words_[number]; }
    const MeteorIndex& index() const { return index_; }

  private:
    void add_synonyms(std::uint32_t number, const std::vector<std::uint32_t>& sets);
    const MeteorIndex& index_;
    struct sb_stemmer* stemmer_;
    std::vector<MeteorWord> words_;
    std::unordered_map<std::string, std::uint32_t> known_, stems_;
    std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> words_of_set_;
};

// Words that match words: a range of the hypothesis and one of the reference.
struct MeteorMatch {
    std::uint16_t hypothesis = 0, hypothesis_words = 0, reference = 0, reference_words = 0;
    std::uint8_t module = 0;    // index into meteor_weights
    std::uint16_t hypothesis_end() const { return static_cast<std::uint16_t>(hypothesis + hypothesis_words); }
    std::uint16_t reference_end() const { return static_cast<std::uint16_t>(reference + reference_words); }
};

inline constexpr std::size_t meteor_aligned_words = 512;    // of a caption; the words after them are not aligned

// A phrase of a caption that is in the index.
struct MeteorPhrase {
    std::uint32_t number = 0;    // in the index
    std::uint16_t begin = 0, words = 0;
};

// Longer phrases of the index; those asked for lately are near, as the index is many times the size of a cache.
class MeteorPhrases {
  public:
    explicit MeteorPhrases(const MeteorIndex& index) : index_(index), recent_(std::size_t{1} << recent_log2) {}
    // As MeteorIndex::longer_phrase; phrase is not the empty one.
    std::uint32_t longer(std::uint32_t phrase, std::uint32_t word) {
        const std::uint64_t mixed = (std::uint64_t{phrase} << 32 | word) * 0x9E3779B97F4A7C15ull;
        Recent& at = recent_[mixed >> (64 - recent_log2)];
        if (at.phrase != phrase || at.word != word) at = {phrase, word, index_.longer_phrase(phrase, word)};
        return at.longer;
    }

  private:
    static constexpr unsigned recent_log2 = 15;
    struct Recent {
        std::uint32_t phrase = 0, word = 0, longer = 0;
    };
    const MeteorIndex& index_;
    std::vector<Recent> recent_;
};

// Finds what matches a caption. What is looked up in the caption is so once for all its references, and the room is
// used again for the next caption: each thread has its own.
class MeteorMatcher {
  public:
    explicit MeteorMatcher(const MeteorLexicon& lexicon) : lexicon_(lexicon), phrases_of_(lexicon.index()) {}

    // The hypothesis of the calls that follow. words: numbers of the lexicon; must stay until then.
    void caption(std::span<const std::uint32_t> words);
    std::span<const std::uint32_t> caption() const { return words_; }
    // those of its words that are aligned, and whose phrases are looked up
    std::span<const std::uint32_t> aligned() const {
        return words_.first(std::min(words_.size(), meteor_aligned_words));
    }
    // Every way in which words of the caption match words of the reference, ordered by position in the reference,
    // module, position in the caption. Two words can match in several ways at once. Valid until the next call.
    const std::vector<MeteorMatch>& matches(std::span<const std::uint32_t> reference);

  private:
    template <class Call>
    void phrases_at(std::span<const std::uint32_t> caption, std::size_t begin, Call call);
    void add_words(std::uint32_t reference_word, std::size_t j);
    void add_paraphrases(const MeteorPhrase& other);

    // Sets of numbers that may have some more.
    static constexpr unsigned near_log2 = 12, meanings_log2 = 15;
    static std::size_t near_bit(std::uint32_t number) { return number & ((1u << near_log2) - 1); }
    static std::size_t meaning_bit(std::uint32_t phrase) { return phrase * 0x9E3779B1u >> (32 - meanings_log2); }

    const MeteorLexicon& lexicon_;
    MeteorPhrases phrases_of_;
    std::span<const std::uint32_t> words_;
    std::vector<std::uint32_t> stems_;                              // of the aligned words
    std::bitset<std::size_t{1} << near_log2> near_, near_stems_;    // words and their synonyms, and their stems
    std::vector<MeteorPhrase> phrases_;                             // of the caption: those that have paraphrases
    std::bitset<std::size_t{1} << meanings_log2> meanings_;         // what phrases_ can mean
    std::vector<MeteorMatch> found_;
};

struct MeteorAlignment {
    std::vector<MeteorMatch> matches;    // in the order of the reference, none shares a word with another
    std::size_t chunks = 0;              // runs that are adjacent and in the same order in both
};

// Of all selections of matches: most words covered, then fewest chunks (Denkowski and Lavie 2014, section 2.1), then as
// the oracle was seen to decide among equals; see meteor_align.cpp. Its room, some MB for captions of a thousand equal
// words, is used again for the next pair: each thread has its own.
class MeteorAligner {
  public:
    explicit MeteorAligner(const MeteorLexicon& lexicon);
    ~MeteorAligner();

    // The hypothesis of the calls that follow. words: numbers of the lexicon; must stay until then.
    void caption(std::span<const std::uint32_t> words) { matcher_.caption(words); }
    std::span<const std::uint32_t> caption() const { return matcher_.caption(); }
    // Valid until the next call.
    const MeteorAlignment& align(std::span<const std::uint32_t> reference);

  private:
    struct Searches;
    MeteorMatcher matcher_;
    std::unique_ptr<Searches> searches_;
    std::vector<std::uint16_t> ways_hypothesis_, ways_reference_;
    MeteorAlignment alignment_;
};

}    // namespace blip
