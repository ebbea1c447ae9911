// See index.h.
#include "src/metrics/meteor/index.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace blip {
namespace {

struct Ending {
    std::string_view from, to;
};
// Endings of WordNet's nouns, verbs and adjectives; the first that leads to a known word gives its base form.
constexpr std::array<Ending, 20> endings = {{{"s", ""},      {"ses", "s"},   {"xes", "x"}, {"zes", "z"}, {"ches", "ch"},
                                             {"shes", "sh"}, {"men", "man"}, {"ies", "y"}, {"s", ""},    {"ies", "y"},
                                             {"es", "e"},    {"es", ""},     {"ed", "e"},  {"ed", ""},   {"ing", "e"},
                                             {"ing", ""},    {"er", ""},     {"est", ""},  {"er", "e"},  {"est", "e"}}};

}    // namespace

std::uint64_t word_hash(std::string_view word) {
    std::uint64_t hash = 0xCBF29CE484222325ull;
    for (const char c : word) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ull;
    return mix_hash(hash);
}

std::optional<MeteorIndex> MeteorIndex::over(std::span<const std::uint32_t> image, std::shared_ptr<const void> owner) {
    if (image.size() < part_count) return std::nullopt;
    MeteorIndex index;
    std::uint64_t at = part_count;
    for (std::size_t i = 0; i < part_count; ++i) {
        if (at + image[i] > image.size()) return std::nullopt;
        index.parts_[i] = image.subspan(at, image[i]);
        at += image[i];
    }
    if (at != image.size() || index.part(Part::word_slots).empty() || index.part(Part::phrase_slots).size() < 3)
        return std::nullopt;
    index.owner_ = std::move(owner);
    return index;
}

std::string_view MeteorIndex::text_of(std::uint32_t word) const {
    const std::span<const std::uint32_t> begins = part(Part::word_begins);
    const std::string_view all(reinterpret_cast<const char*>(part(Part::text).data()), part(Part::text).size_bytes());
    if (std::uint64_t{word} + 1 >= begins.size() || begins[word] > all.size()) return {};
    return all.substr(begins[word], begins[word + 1] - begins[word]);
}

std::uint32_t MeteorIndex::word(std::string_view text) const {
    const std::span<const std::uint32_t> slots = part(Part::word_slots);
    std::size_t at = word_hash(text) & (slots.size() - 1);
    for (std::size_t tried = 0; tried < slots.size() && slots[at] != 0; ++tried, at = (at + 1) & (slots.size() - 1))
        if (text_of(slots[at] - 1) == text) return slots[at] - 1;
    return no_word;
}

void MeteorIndex::add_sets(std::uint32_t word, std::vector<std::uint32_t>& sets) const {
    const std::span<const std::uint32_t> own = list(Part::set_begins, Part::sets, word);
    sets.insert(sets.end(), own.begin(), own.end());
}

std::vector<std::uint32_t> MeteorIndex::synonym_sets(std::string_view text) const {
    std::vector<std::uint32_t> sets;
    const std::uint32_t own = word(text);
    if (own != no_word) add_sets(own, sets);
    const std::span<const std::uint32_t> bases =
        own != no_word ? list(Part::base_begins, Part::bases, own) : std::span<const std::uint32_t>();
    for (const std::uint32_t base : bases) add_sets(base, sets);
    if (bases.empty() && text.size() > 2 && !text.ends_with("ss")) {
        for (const Ending& ending : endings) {
            if (!text.ends_with(ending.from)) continue;
            const std::string base = std::string(text.substr(0, text.size() - ending.from.size())).append(ending.to);
            const std::uint32_t found = word(base);
            if (found == no_word || list(Part::set_begins, Part::sets, found).empty()) continue;
            add_sets(found, sets);
            break;
        }
    }
    std::sort(sets.begin(), sets.end());
    sets.erase(std::unique(sets.begin(), sets.end()), sets.end());
    return sets;
}

std::uint32_t MeteorIndex::longer_phrase(std::uint32_t phrase, std::uint32_t word) const {
    const std::span<const std::uint32_t> slots = part(Part::phrase_slots);
    const std::size_t count = slots.size() / 3;
    std::size_t at = mix_hash(std::uint64_t{phrase} << 32 | word) & (count - 1);
    for (std::size_t tried = 0; tried < count && slots[3 * at + 2] != 0; ++tried, at = (at + 1) & (count - 1))
        if (slots[3 * at] == phrase && slots[3 * at + 1] == word) return slots[3 * at + 2];
    return 0;
}

}    // namespace blip
