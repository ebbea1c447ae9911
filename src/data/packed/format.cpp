// The digests of the packed file; see the header.
#include "blip/data/packed/format.h"

#include <fmt/format.h>

#include <bit>
#include <limits>
#include <stdexcept>

#include "blip/base/digest.h"

namespace blip {

static_assert(std::endian::native == std::endian::little, "tables are hashed as they lie in memory");

namespace {

class Hasher : public Digest {
  public:
    void bytes(const void* data, std::size_t count) { add({static_cast<const std::byte*>(data), count}); }
    template <class T>
    void number(T value) {
        bytes(&value, sizeof value);
    }
    template <class T>
    void table(const std::vector<T>& values) {
        bytes(values.data(), values.size() * sizeof(T));
    }
    void text(std::string_view value_text) {
        bytes(value_text.data(), value_text.size());
        number<char>('\0');
    }
    void key(const ImageKey& image) {
        if (const auto own = image.number()) return number<std::int64_t>(*own);
        number<std::int64_t>(std::numeric_limits<std::int64_t>::min() + image.is_number);
        number<std::uint64_t>(image.text.size());
        bytes(image.text.data(), image.text.size());
    }
};

}    // namespace

std::uint64_t image_digest(const ImageKey& key, const ImageView& image) {
    Hasher hasher;
    hasher.key(key);
    hasher.number<std::int32_t>(image.height);
    hasher.number<std::int32_t>(image.width);
    hasher.bytes(image.pixels_HWC, static_cast<std::size_t>(image.height) * static_cast<std::size_t>(image.width) * 3);
    return hasher.value();
}

std::uint64_t jpeg_digest(const ImageKey& key, std::int32_t height, std::int32_t width,
                          std::span<const std::uint8_t> jpeg) {
    Hasher hasher;
    hasher.key(key);
    hasher.number<std::int32_t>(height);
    hasher.number<std::int32_t>(width);
    hasher.bytes(jpeg.data(), jpeg.size());
    return hasher.value();
}

std::uint64_t caption_digest(const SplitTables& split, std::int64_t caption_row) {
    const auto c = static_cast<std::size_t>(caption_row);
    Hasher hasher;
    hasher.bytes(split.tokens(caption_row), max_caption_tokens * sizeof(std::uint16_t));
    hasher.number<std::int32_t>(split.lengths_C[c]);
    hasher.number<std::int32_t>(split.image_index_C[c]);
    const std::string_view text = split.text(caption_row);
    hasher.bytes(text.data(), text.size());
    return hasher.value();
}

std::string packed_data_digest(const std::vector<SplitTables>& splits, std::string_view prompt, int prompt_length,
                               std::string_view vocabulary_text) {
    Hasher hasher;
    for (const auto& split : splits) {
        hasher.text(split.name);
        hasher.number<std::int64_t>(split.image_count());
        hasher.number<std::int64_t>(split.caption_count());
        hasher.table(split.image_digests_I);
        hasher.table(split.caption_digests_C);
    }
    hasher.text(prompt);
    hasher.number<std::int64_t>(prompt_length);
    hasher.bytes(vocabulary_text.data(), vocabulary_text.size());
    return hasher.hex();
}

std::string packed_names_digest(const SplitTables& split) {
    Hasher hasher;
    for (std::size_t i = 0; i < split.keys_I.size(); ++i) {
        if (!split.keys_I[i].number()) hasher.key(split.keys_I[i]);
        hasher.text(split.files_I[i]);
    }
    return hasher.hex();
}

std::string_view encoding_name(PackedEncoding encoding) { return encoding == PackedEncoding::jpeg ? "jpeg" : "raw"; }

bool encoding_from_name(std::string_view name, PackedEncoding& encoding) {
    for (const auto known : {PackedEncoding::raw, PackedEncoding::jpeg})
        if (name == encoding_name(known)) {
            encoding = known;
            return true;
        }
    return false;
}

const char* stored_table_name(PackedEncoding encoding) { return encoding == PackedEncoding::jpeg ? "jpegs" : "pixels"; }

std::string skipped_to_text(const std::vector<SkippedImage>& skipped) {
    const auto one_line = [](std::string text) {
        for (char& c : text)
            if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
        return text;
    };
    std::string text;
    for (const auto& image : skipped)
        text += fmt::format("{}\t{}\t{}\n", one_line(image.id.text), one_line(image.file), one_line(image.reason));
    return text;
}

std::vector<SkippedImage> skipped_from_text(std::string_view text) {
    std::vector<SkippedImage> skipped;
    while (!text.empty()) {
        const auto end = text.find('\n'), first = text.find('\t'), second = text.find('\t', first + 1);
        if (end == text.npos || first > end || second > end) throw std::invalid_argument("not a line of three fields");
        SkippedImage image;
        image.id = key_in_text(std::string(text.substr(0, first)));
        image.file = text.substr(first + 1, second - first - 1);
        image.reason = text.substr(second + 1, end - second - 1);
        skipped.push_back(std::move(image));
        text.remove_prefix(end + 1);
    }
    return skipped;
}

}    // namespace blip
