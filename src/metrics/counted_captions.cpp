// See counted_captions.h.
#include "src/metrics/counted_captions.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "blip/base/error.h"
#include "blip/text/unicode.h"

namespace blip {

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

// BLEU and CIDEr split the joined tokens at whatever Python takes for white space, which tokens may hold.
template <class Take>
void split_words(const std::string& token, const Take& take) {
    for (std::size_t at = 0; at < token.size();) {
        const std::size_t stop = word_end(token, at);
        if (stop > at) take(std::string_view(token).substr(at, stop - at));
        at = stop + space_bytes(token, stop);
    }
}

}    // namespace

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

std::uint32_t GramTable::add(std::string_view text) {
    std::uint32_t number = npos;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t end = std::min(text.find(' ', at), text.size());
        number = gram(number, word(text.substr(at, end - at)));
        at = end + 1;
    }
    return number;
}

std::vector<std::uint32_t> GramTable::numbers_in(const GramTable& other) const {
    std::vector<std::uint32_t> words(word_texts_.size() + 1, 0), numbers(grams_.size(), npos);
    for (std::size_t w = 0; w < word_texts_.size(); ++w)
        if (const auto found = other.words_.find(*word_texts_[w]); found != other.words_.end())
            words[w + 1] = found->second;
    for (std::size_t g = 0; g < grams_.size(); ++g) {    // what a gram begins with stands before it
        const GramEntry& entry = grams_[g];
        const std::uint32_t beginning = entry.beginning == npos ? npos : numbers[entry.beginning];
        const bool known = words[entry.last_word] != 0 && (entry.beginning == npos || beginning != npos);
        if (known) numbers[g] = other.find(beginning, words[entry.last_word]);
    }
    return numbers;
}

FoundGrams GramTable::find_all(const Tokens& caption) const {
    FoundGrams found;
    std::vector<std::uint32_t> words;
    std::vector<std::string_view> unknown_words;
    for (const std::string& token : caption)
        split_words(token, [&](std::string_view text) {
            if (const auto known = words_.find(text); known != words_.end()) {
                words.push_back(known->second);
                return;
            }
            const auto same = std::find(unknown_words.begin(), unknown_words.end(), text);
            words.push_back(static_cast<std::uint32_t>(words_.size() + 1) +
                            static_cast<std::uint32_t>(same - unknown_words.begin()));
            if (same == unknown_words.end()) unknown_words.push_back(text);
        });
    found.words = static_cast<std::uint32_t>(words.size());
    std::vector<std::uint32_t> known;
    std::array<std::vector<std::array<std::uint32_t, longest_gram>>, longest_gram> unknown;
    for (std::size_t start = 0; start < words.size(); ++start) {
        std::uint32_t beginning = npos;
        std::array<std::uint32_t, longest_gram> gram{};
        for (std::size_t n = 0; n < longest_gram && start + n < words.size(); ++n) {
            gram[n] = words[start + n];
            // the empty beginning is npos, too
            beginning = n == 0 || beginning != npos ? find(beginning, gram[n]) : npos;
            if (beginning != npos)
                known.push_back(beginning);
            else
                unknown[n].push_back(gram);
        }
    }
    std::sort(known.begin(), known.end());
    for (std::size_t i = 0; i < known.size(); ++i) {
        if (i > 0 && known[i] == known[i - 1])
            ++found.known.back().count;
        else
            found.known.push_back({known[i], 1});
    }
    for (std::size_t n = 0; n < longest_gram; ++n) {
        std::sort(unknown[n].begin(), unknown[n].end());
        for (std::size_t i = 0; i < unknown[n].size(); ++i) {
            if (i > 0 && unknown[n][i] == unknown[n][i - 1])
                ++found.unknown_counts[n].back();
            else
                found.unknown_counts[n].push_back(1);
        }
    }
    return found;
}

std::string GramTable::text(std::uint32_t gram) const {
    const GramEntry& entry = grams_[gram];
    const std::string& last = *word_texts_[entry.last_word - 1];
    return entry.beginning == npos ? last : text(entry.beginning) + ' ' + last;
}

CountedCaptions::CountedCaptions(const char* metric, const std::vector<Tokens>& hypotheses,
                                 const std::vector<std::vector<Tokens>>& references, GramTable known)
    : table_(std::move(known)) {
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

void CountedCaptions::add(const Tokens& tokens) {
    const std::size_t begin = tokens_.size(), gram = counts_.size();
    scratch_.clear();
    for (const std::string& token : tokens) {
        tokens_.push_back(table_.word(token));
        split_words(token, [&](std::string_view word) {
            scratch_.push_back(word.size() == token.size() ? tokens_.back() : table_.word(word));
        });
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

std::vector<std::int64_t> count_images(const CountedCaptions& captions) {
    std::vector<std::int64_t> images_with(captions.grams().size(), 0);
    std::vector<std::size_t> last_image(captions.grams().size(), captions.images());
    for (std::size_t i = 0; i < captions.images(); ++i) {
        for (std::size_t k = 0; k < captions.reference_count(i); ++k) {
            for (const GramCount& counted : captions.reference(i, k).grams) {
                if (last_image[counted.gram] == i) continue;
                last_image[counted.gram] = i;
                ++images_with[counted.gram];
            }
        }
    }
    return images_with;
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
