// See counted_captions.h.
#include "src/metrics/counted_captions.h"

#include <algorithm>
#include <numeric>

#include "blip/base/error.h"
#include "blip/text/unicode.h"

namespace blip {

std::uint32_t GramTable::word(std::string_view text) {
    if (const auto found = words_.find(text); found != words_.end()) return found->second;
    const auto number = static_cast<std::uint32_t>(words_.size() + 1);
    const auto place = words_.emplace(std::string(text), number).first;
    word_texts_.push_back(&place->first);
    return number;
}

std::size_t GramTable::slot_of(std::uint32_t beginning, std::uint32_t last_word) const {
    std::uint64_t hash = (std::uint64_t{beginning} << 32 | last_word) * 0x9E3779B97F4A7C15ull;
    hash = (hash ^ hash >> 32) * 0xD6E8FEB86659FD93ull;
    std::size_t slot = (hash ^ hash >> 32) & (slots_.size() - 1);
    while (slots_[slot] != npos) {
        const GramEntry& there = grams_[slots_[slot]];
        if (there.beginning == beginning && there.last_word == last_word) break;
        slot = (slot + 1) & (slots_.size() - 1);
    }
    return slot;
}

void GramTable::grow() {
    slots_.assign(std::max<std::size_t>(1024, slots_.size() * 2), npos);
    for (std::size_t gram = 0; gram < grams_.size(); ++gram)
        slots_[slot_of(grams_[gram].beginning, grams_[gram].last_word)] = static_cast<std::uint32_t>(gram);
}

std::uint32_t GramTable::gram(std::uint32_t beginning, std::uint32_t last_word) {
    if (grams_.size() * 2 >= slots_.size()) grow();
    const std::size_t slot = slot_of(beginning, last_word);
    if (slots_[slot] == npos) {
        if (grams_.size() >= npos) throw Error(ExitCode::bad_data, "the captions hold more than 4 billion n-grams");
        slots_[slot] = static_cast<std::uint32_t>(grams_.size());
        const int length = beginning == npos ? 1 : grams_[beginning].length + 1;
        grams_.push_back({beginning, last_word, static_cast<std::uint8_t>(length)});
    }
    return slots_[slot];
}

void GramTable::count(std::span<const std::uint32_t> words, std::vector<GramCount>& counts) {
    scratch_.clear();
    for (std::size_t start = 0; start < words.size(); ++start) {
        std::uint32_t beginning = npos;
        for (std::size_t n = 0; n < longest_gram && start + n < words.size(); ++n) {
            beginning = gram(beginning, words[start + n]);
            scratch_.push_back(beginning);
        }
    }
    std::sort(scratch_.begin(), scratch_.end());
    for (std::size_t i = 0; i < scratch_.size(); ++i) {
        if (i > 0 && scratch_[i] == scratch_[i - 1])
            ++counts.back().count;
        else
            counts.push_back({scratch_[i], 1});
    }
}

std::uint32_t GramTable::find(std::string_view gram) const {
    std::uint32_t beginning = npos;
    if (slots_.empty()) return npos;
    for (std::size_t at = 0; at <= gram.size();) {
        const std::size_t end = std::min(gram.find(' ', at), gram.size());
        const auto word = words_.find(gram.substr(at, end - at));
        if (word == words_.end()) return npos;
        beginning = slots_[slot_of(beginning, word->second)];
        if (beginning == npos) return npos;
        at = end + 1;
    }
    return beginning;
}

std::string GramTable::text(std::uint32_t gram) const {
    const GramEntry& entry = grams_[gram];
    const std::string& last = *word_texts_[entry.last_word - 1];
    return entry.beginning == npos ? last : text(entry.beginning) + ' ' + last;
}

CountedCaptions::CountedCaptions(const char* metric, const std::vector<Tokens>& hypotheses,
                                 const std::vector<std::vector<Tokens>>& references) {
    check_references(metric, hypotheses.size(), references);
    std::size_t tokens = 0;
    for (const Tokens& hypothesis : hypotheses) tokens += hypothesis.size();
    for (const auto& of_image : references)
        for (const Tokens& reference : of_image) tokens += reference.size();
    tokens_.reserve(tokens);
    counts_.reserve(tokens * longest_gram);
    for (std::size_t i = 0; i < hypotheses.size(); ++i) {
        first_.push_back(places_.size());
        add(hypotheses[i]);
        for (const Tokens& reference : references[i]) add(reference);
    }
    first_.push_back(places_.size());
    places_.push_back({tokens_.size(), counts_.size(), 0});
}

namespace {

// Bytes of the character at `at` if Python's str.split() splits there, 0 otherwise.
std::size_t space_bytes(std::string_view text, std::size_t at) {
    const auto size = static_cast<std::int32_t>(std::min<std::size_t>(text.size() - at, U8_MAX_LENGTH));
    std::int32_t length = 0;
    UChar32 c = 0;
    if (size > 0) U8_NEXT_OR_FFFD(text.data() + at, length, size, c);
    return is_python_space(static_cast<char32_t>(c)) ? static_cast<std::size_t>(length) : 0;
}

std::size_t word_end(std::string_view text, std::size_t at) {
    while (at < text.size() && space_bytes(text, at) == 0) ++at;
    return at;
}

}    // namespace

void CountedCaptions::add(const Tokens& tokens) {
    const std::size_t begin = tokens_.size(), gram = counts_.size();
    scratch_.clear();
    // BLEU and CIDEr split the joined tokens at whatever Python takes for white space, which tokens may hold
    for (const std::string& token : tokens) {
        tokens_.push_back(table_.word(token));
        const std::size_t end = word_end(token, 0);
        if (end == token.size()) {
            if (!token.empty()) scratch_.push_back(tokens_.back());
            continue;
        }
        for (std::size_t at = 0; at < token.size();) {
            const std::size_t stop = word_end(token, at);
            if (stop > at) scratch_.push_back(table_.word(std::string_view(token).substr(at, stop - at)));
            at = stop + space_bytes(token, stop);
        }
    }
    table_.count(scratch_, counts_);
    places_.push_back({begin, gram, static_cast<std::uint32_t>(scratch_.size())});
}

CountedCaption CountedCaptions::at(std::size_t caption) const {
    const Place &from = places_[caption], &to = places_[caption + 1];
    return {{tokens_.data() + from.token, to.token - from.token},
            {counts_.data() + from.gram, to.gram - from.gram},
            from.words};
}

double mean(const std::vector<double>& values) {
    return values.empty() ? 0 : std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

void check_references(const char* metric, std::size_t hypotheses, const std::vector<std::vector<Tokens>>& references) {
    if (hypotheses != references.size())
        throw Error(ExitCode::bad_data,
                    "{} of {} captions against references of {} images: give one caption for each image", metric,
                    hypotheses, references.size());
    const auto lonely =
        std::find_if(references.begin(), references.end(), [](const auto& list) { return list.empty(); });
    if (lonely != references.end())
        throw Error(ExitCode::bad_data, "{}: caption {} has no reference; leave such images out", metric,
                    lonely - references.begin());
}

}    // namespace blip
