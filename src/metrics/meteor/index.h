// METEOR's tables as one array of 32-bit numbers that can be used where it lies, in memory or in a mapped file;
// whatever numbers are in it, nothing outside of it is read. Made by tables.cpp, opened by data.cpp. Internal to the
// metrics layer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace blip {

// A header of part lengths, then the parts.
using IndexImage = std::vector<std::uint32_t>;

inline std::uint64_t mix_hash(std::uint64_t value) {
    value = (value ^ (value >> 32)) * 0x9E3779B97F4A7C15ull;
    return value ^ (value >> 29);
}
std::uint64_t word_hash(std::string_view word);

// Where each part begins in the image, and how long it is, in numbers. The parts stand in this order behind the header.
enum class Part : std::uint32_t {
    word_slots,           // hash table: word + 1, 0 = empty; a power of two
    word_begins,          // of each word in text, in bytes, and the end of the last
    text,                 // all words, UTF-8, padded to 4 bytes
    functions,            // 1 for function words
    set_begins,           // of each word in sets, and the end of the last
    sets,                 // synonym sets of a word, ascending
    base_begins,          // of each word in bases, and the end of the last
    bases,                // what a word is an exceptional inflection of
    phrase_slots,         // hash table of {parent, word, phrase}, parent 0 = the empty phrase, phrase 0 = empty slot
    paraphrase_begins,    // of each phrase in paraphrases, and the end of the last
    paraphrases,          // phrases that mean the same, ascending
    count
};
inline constexpr std::size_t part_count = static_cast<std::size_t>(Part::count);

class MeteorIndex {
  public:
    static constexpr std::uint32_t no_word = 0xFFFFFFFF;

    // image: kept alive by owner. nullopt if it is not an index whose parts fill it exactly.
    static std::optional<MeteorIndex> over(std::span<const std::uint32_t> image, std::shared_ptr<const void> owner);

    std::uint32_t word(std::string_view text) const;    // no_word if no table has it
    bool is_function(std::uint32_t word) const {
        return word < part(Part::functions).size() && part(Part::functions)[word] != 0;
    }
    // Synonym sets of a word and of what it is an inflection of, ascending.
    std::vector<std::uint32_t> synonym_sets(std::string_view text) const;
    // The phrase that is `phrase` (0 = empty) with one word more; 0 if no table entry begins so.
    std::uint32_t longer_phrase(std::uint32_t phrase, std::uint32_t word) const;
    std::span<const std::uint32_t> paraphrases(std::uint32_t phrase) const {
        return list(Part::paraphrase_begins, Part::paraphrases, phrase);
    }

  private:
    std::span<const std::uint32_t> part(Part which) const { return parts_[static_cast<std::size_t>(which)]; }
    std::span<const std::uint32_t> list(Part begins, Part values, std::uint32_t of) const {
        const std::span<const std::uint32_t> at = part(begins);
        if (std::uint64_t{of} + 1 >= at.size() || at[of] > at[of + 1] || at[of + 1] > part(values).size()) return {};
        return part(values).subspan(at[of], at[of + 1] - at[of]);
    }
    std::string_view text_of(std::uint32_t word) const;
    void add_sets(std::uint32_t word, std::vector<std::uint32_t>& sets) const;

    std::span<const std::uint32_t> parts_[part_count];
    std::shared_ptr<const void> owner_;
};

inline constexpr const char* meteor_table_names[] = {"english.words", "english.synsets", "english.exceptions",
                                                     "paraphrase-en.gz"};
// The image of these tables in a folder. Errors: missing_input for an absent table, bad_data for one that is not of its
// form, naming the file and the line.
IndexImage compile_meteor_tables(const std::filesystem::path& dir);

}    // namespace blip
