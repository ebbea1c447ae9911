// What matches what, before an alignment is chosen. See meteor_align.h.
#include <libstemmer.h>

#include <algorithm>
#include <new>

#include "src/metrics/meteor/align.h"

namespace blip {
namespace {

enum Module : std::uint8_t { exact, stem, synonym, paraphrase };

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

// Calls call with every phrase that begins there and that the index knows, be it as the beginning of another one.
template <class Call>
void MeteorMatcher::phrases_at(std::span<const std::uint32_t> caption, std::size_t begin, Call call) {
    std::uint32_t phrase = lexicon_[caption[begin]].phrase;
    for (std::size_t end = begin + 1; phrase != 0; ++end) {
        call(MeteorPhrase{phrase, static_cast<std::uint16_t>(begin), static_cast<std::uint16_t>(end - begin)});
        if (end == caption.size()) break;
        const std::uint32_t word = lexicon_[caption[end]].table;
        phrase = word != MeteorIndex::no_word ? phrases_of_.longer(phrase, word) : 0;
    }
}

void MeteorMatcher::caption(std::span<const std::uint32_t> words) {
    words_ = words;
    stems_.clear();
    phrases_.clear();
    near_.reset();
    near_stems_.reset();
    meanings_.reset();
    for (std::size_t i = 0; i < aligned().size(); ++i) {
        const MeteorWord& word = lexicon_[words[i]];
        stems_.push_back(word.stem);
        near_stems_.set(near_bit(word.stem));
        for (const std::uint32_t synonym : word.synonyms) near_.set(near_bit(synonym));
        phrases_at(aligned(), i, [&](const MeteorPhrase& phrase) {
            const std::span<const std::uint32_t> meanings = lexicon_.index().paraphrases(phrase.number);
            if (meanings.empty()) return;
            phrases_.push_back(phrase);
            for (const std::uint32_t meaning : meanings) meanings_.set(meaning_bit(meaning));
        });
    }
}

void MeteorMatcher::add_words(std::uint32_t reference_word, std::size_t j) {
    const std::uint32_t reference_stem = lexicon_[reference_word].stem;
    const auto add = [&](Module module, std::size_t i) {
        found_.push_back({static_cast<std::uint16_t>(i), 1, static_cast<std::uint16_t>(j), 1, module});
    };
    const bool may_be_synonym = near_[near_bit(reference_word)];
    if (!may_be_synonym && !near_stems_[near_bit(reference_stem)]) return;
    for (std::size_t i = 0; i < stems_.size(); ++i) {
        if (words_[i] == reference_word) {
            add(exact, i);
            continue;
        }
        if (stems_[i] == reference_stem) add(stem, i);
        if (!may_be_synonym) continue;
        const std::vector<std::uint32_t>& synonyms = lexicon_[words_[i]].synonyms;
        if (std::binary_search(synonyms.begin(), synonyms.end(), reference_word)) add(synonym, i);
    }
}

void MeteorMatcher::add_paraphrases(const MeteorPhrase& other) {
    if (!meanings_[meaning_bit(other.number)]) return;
    // Each is listed with the other equally often.
    const std::span<const std::uint32_t> meanings = lexicon_.index().paraphrases(other.number);
    for (const MeteorPhrase& own : phrases_) {
        const auto [first, last] = std::equal_range(meanings.begin(), meanings.end(), own.number);
        for (auto listed = first; listed != last; ++listed)    // twice if the table has both directions
            found_.push_back({own.begin, own.words, other.begin, other.words, paraphrase});
    }
}

const std::vector<MeteorMatch>& MeteorMatcher::matches(std::span<const std::uint32_t> reference) {
    const auto place = [](const MeteorMatch& match) {    // captions have at most meteor_aligned_words words
        return std::uint64_t{match.module} << 40 | std::uint64_t{match.hypothesis} << 24 |
               std::uint64_t{match.hypothesis_words} << 12 | match.reference_words;
    };
    found_.clear();
    for (std::size_t j = 0; j < reference.size(); ++j) {
        const auto first = static_cast<std::ptrdiff_t>(found_.size());
        add_words(reference[j], j);
        phrases_at(reference, j, [&](const MeteorPhrase& other) { add_paraphrases(other); });
        if (found_.size() - static_cast<std::size_t>(first) > 1)
            std::sort(found_.begin() + first, found_.end(),
                      [&](const MeteorMatch& x, const MeteorMatch& y) { return place(x) < place(y); });
    }
    return found_;
}

}    // namespace blip
