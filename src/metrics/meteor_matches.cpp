// What matches what, before an alignment is chosen. See meteor_align.h.
#include <libstemmer.h>

#include <algorithm>
#include <new>

#include "src/metrics/meteor_align.h"

namespace blip {
namespace {

enum Module : std::uint8_t { exact, stem, synonym, paraphrase };

// Calls call with every phrase of the caption that the index knows, be it as the beginning of another one.
template <class Call>
void each_phrase(std::span<const std::uint32_t> caption, const MeteorLexicon& lexicon, Call call) {
    for (std::size_t begin = 0; begin < caption.size(); ++begin) {
        std::uint32_t phrase = lexicon[caption[begin]].phrase;
        for (std::size_t end = begin + 1; phrase != 0; ++end) {
            call(MeteorPhrase{phrase, static_cast<std::uint16_t>(begin), static_cast<std::uint16_t>(end - begin)});
            if (end == caption.size()) break;
            const std::uint32_t word = lexicon[caption[end]].table;
            phrase = word != MeteorIndex::no_word ? lexicon.index().longer_phrase(phrase, word) : 0;
        }
    }
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
    if (entry.table != MeteorIndex::no_word) entry.phrase = index_.longer_phrase(0, entry.table);
    const sb_symbol* stemmed =
        sb_stemmer_stem(stemmer_, reinterpret_cast<const sb_symbol*>(word.data()), static_cast<int>(word.size()));
    if (stemmed == nullptr) throw std::bad_alloc();
    const std::string text(reinterpret_cast<const char*>(stemmed),
                           static_cast<std::size_t>(sb_stemmer_length(stemmer_)));
    entry.stem = stems_.try_emplace(text, static_cast<std::uint32_t>(stems_.size())).first->second;
    words_.push_back(std::move(entry));
    add_synonyms(at->second, index_.synonym_sets(word));
    return at->second;
}

// The newest word is the last of every list that it gets into.
void MeteorLexicon::add_synonyms(std::uint32_t number, const std::vector<std::uint32_t>& sets) {
    std::vector<std::uint32_t>& own = words_[number].synonyms;
    for (const std::uint32_t set : sets) {
        std::vector<std::uint32_t>& words = words_of_set_[set];
        own.insert(own.end(), words.begin(), words.end());
        words.push_back(number);
    }
    std::sort(own.begin(), own.end());
    own.erase(std::unique(own.begin(), own.end()), own.end());
    for (const std::uint32_t other : own) words_[other].synonyms.push_back(number);
}

MeteorHypothesis::MeteorHypothesis(std::span<const std::uint32_t> words, const MeteorLexicon& lexicon) : words_(words) {
    each_phrase(aligned(), lexicon, [&](const MeteorPhrase& phrase) {
        const std::span<const std::uint32_t> meanings = lexicon.index().paraphrases(phrase.number);
        if (meanings.empty()) return;
        phrases_.push_back(phrase);
        for (const std::uint32_t meaning : meanings) meanings_.set(bit_of(meaning));
    });
}

std::vector<MeteorMatch> meteor_matches(const MeteorHypothesis& caption, std::span<const std::uint32_t> reference,
                                        const MeteorLexicon& lexicon) {
    const std::span<const std::uint32_t> hypothesis = caption.aligned();
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
            if (std::binary_search(word.synonyms.begin(), word.synonyms.end(), reference[j])) add(synonym, i, 1, j, 1);
        }
    }
    each_phrase(reference, lexicon, [&](const MeteorPhrase& other) {
        if (!caption.may_mean(other.number)) return;
        // Each is listed with the other equally often.
        const std::span<const std::uint32_t> meanings = lexicon.index().paraphrases(other.number);
        for (const MeteorPhrase& own : caption.phrases()) {
            const auto [first, last] = std::equal_range(meanings.begin(), meanings.end(), own.number);
            for (auto listed = first; listed != last; ++listed)    // twice if the table has both directions
                add(paraphrase, own.begin, own.words, other.begin, other.words);
        }
    });
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
