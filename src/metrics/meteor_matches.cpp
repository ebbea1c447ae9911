// What matches what, before an alignment is chosen. See meteor_align.h.
#include <libstemmer.h>

#include <algorithm>
#include <new>

#include "src/metrics/meteor_align.h"

namespace blip {
namespace {

enum Module : std::uint8_t { exact, stem, synonym, paraphrase };

bool share_one(const std::vector<std::uint32_t>& a, const std::vector<std::uint32_t>& b) {
    for (auto i = a.begin(), j = b.begin(); i != a.end() && j != b.end();) {
        if (*i == *j) return true;
        if (*i < *j)
            ++i;
        else
            ++j;
    }
    return false;
}

struct Phrase {
    std::uint32_t number = 0;    // in the index
    std::uint16_t begin = 0, words = 0;
    std::span<const std::uint32_t> meanings;    // phrases that mean the same, ascending
};

// Every phrase of the caption that has paraphrases.
std::vector<Phrase> phrases_in(std::span<const std::uint32_t> caption, const MeteorLexicon& lexicon) {
    std::vector<Phrase> found;
    for (std::size_t begin = 0; begin < caption.size(); ++begin) {
        std::uint32_t phrase = 0;
        for (std::size_t end = begin; end < caption.size(); ++end) {
            const std::uint32_t word = lexicon[caption[end]].table;
            if (word == MeteorIndex::no_word) break;
            phrase = lexicon.index().longer_phrase(phrase, word);
            if (phrase == 0) break;
            if (const auto meanings = lexicon.index().paraphrases(phrase); !meanings.empty())
                found.push_back(
                    {phrase, static_cast<std::uint16_t>(begin), static_cast<std::uint16_t>(end + 1 - begin), meanings});
        }
    }
    return found;
}

}    // namespace

MeteorLexicon::MeteorLexicon(const MeteorIndex& index) : index_(index), stemmer_(sb_stemmer_new("english", nullptr)) {
    if (stemmer_ == nullptr) throw std::bad_alloc();
}

MeteorLexicon::~MeteorLexicon() { sb_stemmer_delete(stemmer_); }

std::uint32_t MeteorLexicon::number(const std::string& word) {
    const auto [at, added] = known_.try_emplace(word, static_cast<std::uint32_t>(words_.size()));
    if (!added) return at->second;
    MeteorWord entry;
    entry.table = index_.word(word);
    entry.function = index_.is_function(entry.table);
    entry.sets = index_.synonym_sets(word);
    for (const std::uint32_t set : entry.sets) entry.set_bits |= std::uint64_t{1} << set % 64;
    const sb_symbol* stemmed =
        sb_stemmer_stem(stemmer_, reinterpret_cast<const sb_symbol*>(word.data()), static_cast<int>(word.size()));
    if (stemmed == nullptr) throw std::bad_alloc();
    const std::string text(reinterpret_cast<const char*>(stemmed),
                           static_cast<std::size_t>(sb_stemmer_length(stemmer_)));
    entry.stem = stems_.try_emplace(text, static_cast<std::uint32_t>(stems_.size())).first->second;
    words_.push_back(std::move(entry));
    return at->second;
}

std::vector<std::uint32_t> MeteorLexicon::numbers(const std::vector<std::string>& words) {
    std::vector<std::uint32_t> result;
    result.reserve(words.size());
    for (const std::string& word : words) result.push_back(number(word));
    return result;
}

std::vector<MeteorMatch> meteor_matches(std::span<const std::uint32_t> hypothesis,
                                        std::span<const std::uint32_t> reference, const MeteorLexicon& lexicon) {
    std::vector<MeteorMatch> found;
    const auto add = [&](Module module, std::size_t i, std::size_t length, std::size_t j, std::size_t other) {
        found.push_back({static_cast<std::uint16_t>(i), static_cast<std::uint16_t>(length),
                         static_cast<std::uint16_t>(j), static_cast<std::uint16_t>(other), module});
    };
    for (std::size_t i = 0; i < hypothesis.size(); ++i) {
        const MeteorWord& word = lexicon[hypothesis[i]];
        for (std::size_t j = 0; j < reference.size(); ++j) {
            if (hypothesis[i] == reference[j]) {
                add(exact, i, 1, j, 1);
                continue;
            }
            const MeteorWord& other = lexicon[reference[j]];
            if (word.stem == other.stem) add(stem, i, 1, j, 1);
            if ((word.set_bits & other.set_bits) != 0 && share_one(word.sets, other.sets)) add(synonym, i, 1, j, 1);
        }
    }
    const std::vector<Phrase> others = phrases_in(reference, lexicon);
    for (const Phrase& own : phrases_in(hypothesis, lexicon)) {
        for (const Phrase& other : others) {
            // Each is listed with the other equally often: the shorter list is searched.
            const bool in_own = own.meanings.size() < other.meanings.size();
            const std::span<const std::uint32_t> meanings = in_own ? own.meanings : other.meanings;
            const std::uint32_t wanted = in_own ? other.number : own.number;
            if (wanted < meanings.front() || wanted > meanings.back()) continue;
            const auto [first, last] = std::equal_range(meanings.begin(), meanings.end(), wanted);
            for (auto listed = first; listed != last; ++listed)    // twice if the table has both directions
                add(paraphrase, own.begin, own.words, other.begin, other.words);
        }
    }
    const auto place = [](const MeteorMatch& match) {    // captions have at most meteor_aligned_words words
        return std::uint64_t{match.reference} << 48 | std::uint64_t{match.module} << 40 |
               std::uint64_t{match.hypothesis} << 24 | std::uint64_t{match.hypothesis_words} << 12 |
               match.reference_words;
    };
    std::sort(found.begin(), found.end(),
              [&](const MeteorMatch& x, const MeteorMatch& y) { return place(x) < place(y); });
    return found;
}

}    // namespace blip
