// Alignment of two captions: which words of the hypothesis stand for which of the reference. Internal to the metrics
// layer.
#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "src/metrics/meteor_index.h"

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

// A caption to be aligned with several references: what is looked up once for all of them.
class MeteorHypothesis {
  public:
    // words: numbers of the lexicon; must outlive this object
    MeteorHypothesis(std::span<const std::uint32_t> words, const MeteorLexicon& lexicon);

    std::span<const std::uint32_t> words() const { return words_; }
    // those that are aligned, and whose phrases are looked up
    std::span<const std::uint32_t> aligned() const {
        return words_.first(std::min(words_.size(), meteor_aligned_words));
    }
    const std::vector<MeteorPhrase>& phrases() const { return phrases_; }    // those that have paraphrases
    // Whether one of the phrases may have this paraphrase; false is certain.
    bool may_mean(std::uint32_t phrase) const { return meanings_[bit_of(phrase)]; }

  private:
    static constexpr unsigned bits_log2 = 15;
    static std::size_t bit_of(std::uint32_t phrase) { return phrase * 0x9E3779B1u >> (32 - bits_log2); }

    std::span<const std::uint32_t> words_;
    std::vector<MeteorPhrase> phrases_;
    std::bitset<std::size_t{1} << bits_log2> meanings_;    // of all phrases
};

// Every way in which words of one caption match words of the other, ordered by position in the reference, module,
// position in the hypothesis. Two words can match in several ways at once.
std::vector<MeteorMatch> meteor_matches(const MeteorHypothesis& hypothesis, std::span<const std::uint32_t> reference,
                                        const MeteorLexicon& lexicon);

struct MeteorAlignment {
    std::vector<MeteorMatch> matches;    // in the order of the reference, none shares a word with another
    std::size_t chunks = 0;              // runs that are adjacent and in the same order in both
};

// Of all selections of matches: most words covered, then fewest chunks (Denkowski and Lavie 2014, section 2.1), then as
// the oracle was seen to decide among equals; see meteor_align.cpp.
MeteorAlignment meteor_align(const MeteorHypothesis& hypothesis, std::span<const std::uint32_t> reference,
                             const MeteorLexicon& lexicon);

}    // namespace blip
