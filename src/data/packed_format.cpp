// The digests of the packed file; see the header.
#include "blip/data/packed_format.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <bit>
#include <cstring>
#include <new>

#include "blip/base/handle.h"

namespace blip {

static_assert(std::endian::native == std::endian::little, "tables are hashed as they lie in memory");

namespace {

struct HashStateTraits {
    using value_type = XXH3_state_t*;
    static value_type invalid() { return nullptr; }
    static void close(value_type state) noexcept { XXH3_freeState(state); }
};

class Hasher {
  public:
    Hasher() : state_(XXH3_createState()) {
        if (!state_) throw std::bad_alloc();
        XXH3_64bits_reset(state_.get());
    }
    void bytes(const void* data, std::size_t count) {
        if (count != 0) XXH3_64bits_update(state_.get(), data, count);
    }
    template <class T>
    void value(T number) {
        bytes(&number, sizeof number);
    }
    template <class T>
    void table(const std::vector<T>& values) {
        bytes(values.data(), values.size() * sizeof(T));
    }
    void text(std::string_view value_text) {
        bytes(value_text.data(), value_text.size());
        value<char>('\0');
    }
    std::uint64_t digest() const { return XXH3_64bits_digest(state_.get()); }

  private:
    Handle<HashStateTraits> state_;
};

}    // namespace

std::uint64_t image_digest(std::int64_t id, const ImageView& image) {
    Hasher hasher;
    hasher.value<std::int64_t>(id);
    hasher.value<std::int32_t>(image.height);
    hasher.value<std::int32_t>(image.width);
    hasher.bytes(image.pixels_HWC, static_cast<std::size_t>(image.height) * static_cast<std::size_t>(image.width) * 3);
    return hasher.digest();
}

std::uint64_t caption_digest(const SplitTables& split, std::int64_t caption_row) {
    const auto c = static_cast<std::size_t>(caption_row);
    Hasher hasher;
    hasher.bytes(split.tokens(caption_row), max_caption_tokens * sizeof(std::uint16_t));
    hasher.value<std::int32_t>(split.lengths_C[c]);
    hasher.value<std::int32_t>(split.image_index_C[c]);
    const std::string_view text = split.text(caption_row);
    hasher.bytes(text.data(), text.size());
    return hasher.digest();
}

std::string packed_data_digest(const std::vector<SplitTables>& splits, std::string_view prompt, int prompt_length,
                               std::string_view vocabulary_text) {
    Hasher hasher;
    for (const auto& split : splits) {
        hasher.text(split.name);
        hasher.value<std::int64_t>(split.image_count());
        hasher.value<std::int64_t>(split.caption_count());
        hasher.table(split.image_digests_I);
        hasher.table(split.caption_digests_C);
    }
    hasher.text(prompt);
    hasher.value<std::int64_t>(prompt_length);
    hasher.bytes(vocabulary_text.data(), vocabulary_text.size());
    return fmt::format("{:016x}", hasher.digest());
}

}    // namespace blip
