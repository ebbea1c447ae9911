// Reading the tables of a packed file. Nothing is trusted before it is checked: sizes before memory is allocated,
// indices before they are used.
#include "src/data/packed/tables.h"

#include <fmt/format.h>

#include <stdexcept>

#include "blip/base/error.h"
#include "blip/data/packed/format.h"

namespace blip {

namespace fs = std::filesystem;

std::string describe_image(const SplitTables& split, std::int64_t row) {
    const auto i = static_cast<std::size_t>(row);
    if (i >= split.keys_I.size()) return fmt::format("image row {} of {} (no such row)", row, split.name);
    const bool named = i < split.files_I.size() && !split.files_I[i].empty();
    return fmt::format("image {} ({}, row {}){}{}", split.keys_I[i].text, split.name, row, named ? ", " : "",
                       named ? split.files_I[i] : "");
}

std::pair<std::int64_t, std::int64_t> caption_rows(const SplitTables& split, std::int64_t image_row) {
    const auto& rows = split.image_index_C;
    const auto [first, last] = std::equal_range(rows.begin(), rows.end(), static_cast<std::int32_t>(image_row));
    return {first - rows.begin(), last - rows.begin()};
}

std::string name_image(const SplitTables& split, std::int64_t row) {
    const auto i = static_cast<std::size_t>(row);
    const std::string& key = split.keys_I[i].text;
    return split.files_I[i].empty() ? key : fmt::format("{} ({})", key, split.files_I[i]);
}

std::string describe_caption(const SplitTables& split, std::int64_t row) {
    const auto c = static_cast<std::size_t>(row);
    if (c >= split.image_index_C.size()) return fmt::format("caption row {} of {} (no such row)", row, split.name);
    const auto i = static_cast<std::size_t>(split.image_index_C[c]);
    if (i >= split.keys_I.size()) return fmt::format("caption row {} ({}, image unknown)", row, split.name);
    return fmt::format("caption row {} ({}, image {})", row, split.name, split.keys_I[i].text);
}

void throw_damaged(const fs::path& path, const std::string& what) {
    throw Error(ExitCode::bad_data,
                "{}: {}; the file is damaged: find all damage with 'coco_pack --check', "
                "then pack it again",
                path.string(), what);
}

std::string read_text_table(hid_t group, const std::string& name, const std::string& what) {
    const std::vector<std::uint8_t> bytes = read_table<std::uint8_t>(group, name, 1, -1, what);
    return {bytes.begin(), bytes.end()};
}

namespace {

std::uint64_t pixel_bytes(const SplitTables& split, std::size_t i) {
    return static_cast<std::uint64_t>(split.heights_I[i]) * static_cast<std::uint64_t>(split.widths_I[i]) * 3;
}

}    // namespace

std::uint64_t packed_image_bytes(const SplitTables& split, std::size_t i) {
    return split.jpeg_lengths_I.empty() ? pixel_bytes(split, i) : split.jpeg_lengths_I[i];
}

namespace {

// The images must lie in their dataset one after the other without gap; a wrong size and a wrong offset are told apart
// by whether the neighbour disagrees as well.
void check_images(const SplitTables& split, const fs::path& path) {
    const auto damaged = [&](const std::string& what) { throw_damaged(path, what); };
    const auto fits = [&](std::size_t i) {
        const std::int32_t height = split.heights_I[i], width = split.widths_I[i];
        if (height < 1 || width < 1 || height > packed_max_side || width > packed_max_side) return false;
        if (packed_image_bytes(split, i) > packed_most_image_bytes) return false;
        const std::uint64_t start = split.offsets_I[i];
        const std::uint64_t end = i + 1 < split.offsets_I.size() ? split.offsets_I[i + 1] : split.stored_bytes;
        return start <= end && end <= split.stored_bytes && end - start == packed_image_bytes(split, i);
    };
    const std::size_t count = split.keys_I.size();
    for (std::size_t i = 0; i < count; ++i) {
        if (i == 0 && split.offsets_I[0] != 0) damaged("offset of " + describe_image(split, 0) + " is not 0");
        if (fits(i)) continue;
        if (i + 1 < count && !fits(i + 1))
            damaged("offset of " + describe_image(split, static_cast<std::int64_t>(i + 1)) +
                    " disagrees with the sizes");
        const std::string length =
            split.jpeg_lengths_I.empty() ? "" : fmt::format(" and length {}", split.jpeg_lengths_I[i]);
        damaged(fmt::format("size {}x{}{} of {} disagrees with the offsets", split.widths_I[i], split.heights_I[i],
                            length, describe_image(split, static_cast<std::int64_t>(i))));
    }
    if (count == 0 && split.stored_bytes != 0) damaged("split " + split.name + " has pictures without an image id");
}

// The texts of a table, one after the other from each offset to the next. Without the table all are empty.
std::vector<std::string> read_texts(hid_t group, const char* name, const char* offsets_name, std::size_t count,
                                    const std::string& what, const fs::path& path) {
    if (!has_member(group, name, what)) return std::vector<std::string>(count);
    const std::string bytes = read_text_table(group, name, what);
    const auto offsets = read_table<std::uint64_t>(group, offsets_name, 1, static_cast<std::int64_t>(count) + 1, what);
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < count; ++i) {
        if (offsets[i] > offsets[i + 1] || offsets[i + 1] > bytes.size())
            throw_damaged(path, fmt::format("{}: {} is out of order at row {}", what, offsets_name, i));
        texts.push_back(bytes.substr(offsets[i], offsets[i + 1] - offsets[i]));
    }
    return texts;
}

// Keys and files' names. Before format 3 all keys were numbers, and names were not kept.
void read_names(SplitTables& split, hid_t group, std::int64_t format_version, const fs::path& path) {
    const std::string what = path.string() + ", split " + split.name;
    const auto numbers = read_table<std::int64_t>(group, "image_ids", 1, -1, what);
    split.files_I.resize(numbers.size());
    split.keys_I.assign(numbers.begin(), numbers.end());
    if (format_version < 3) return;
    std::vector<std::string> texts = read_texts(group, "key_texts", "key_offsets", numbers.size(), what, path);
    split.files_I = read_texts(group, "files", "file_offsets", numbers.size(), what, path);
    for (std::size_t i = 0; i < texts.size(); ++i) {
        if (texts[i].empty()) continue;
        split.keys_I[i] = std::move(texts[i]);
        split.keys_I[i].is_number = numbers[i] == 1;
    }
    if (read_text_attribute(group, "names_digest", what) != packed_names_digest(split))
        throw_damaged(path, fmt::format("{}: the keys of its images or the names of their files changed", what));
}

void check_captions(const SplitTables& split, const fs::path& path) {
    const auto damaged = [&](const std::string& what) { throw_damaged(path, what); };
    const std::size_t count = split.lengths_C.size();
    if (split.text_offsets_C1[0] != 0) damaged("text offset of " + describe_caption(split, 0) + " is not 0");
    for (std::size_t c = 0; c < count; ++c)
        if (split.text_offsets_C1[c] > split.text_offsets_C1[c + 1] ||
            split.text_offsets_C1[c + 1] > split.texts.size())
            damaged("text offsets of " + describe_caption(split, static_cast<std::int64_t>(c)) + " are out of order");
    if (split.text_offsets_C1[count] != split.texts.size())
        damaged("texts of " + split.name + " end at the wrong place");

    for (std::size_t c = 0; c < count; ++c) {
        const auto row = static_cast<std::int64_t>(c);
        const std::int32_t index = split.image_index_C[c];
        if (index < 0 || index >= split.image_count())
            damaged(fmt::format("image index {} of {} is outside of 0..{}", index, describe_caption(split, row),
                                split.image_count() - 1));
        if (c > 0 && index < split.image_index_C[c - 1]) {
            // one of the two is wrong; their digests tell which
            const bool previous = caption_digest(split, row - 1) != split.caption_digests_C[c - 1];
            damaged("image index of " + describe_caption(split, previous ? row - 1 : row) + " is out of order");
        }
        if (split.lengths_C[c] < 1 || split.lengths_C[c] > max_caption_tokens)
            damaged(fmt::format("length {} of {} is outside of 1..{}", split.lengths_C[c], describe_caption(split, row),
                                max_caption_tokens));
    }
}

}    // namespace

SplitTables read_split_tables(hid_t root, const std::string& name, PackedEncoding encoding, std::int64_t format_version,
                              const fs::path& path) {
    const std::string what = path.string() + ", split " + name;
    const H5Group opened = open_group(root, name, path.string());
    const hid_t group = opened.get();
    const auto read = [&]<class T>(std::vector<T>& values, const char* table, std::int64_t rows) {
        values = read_table<T>(group, table, 1, rows, what);
    };
    SplitTables split;
    split.name = name;
    read_names(split, group, format_version, path);
    const std::int64_t images = split.image_count();
    read(split.heights_I, "heights", images);
    read(split.widths_I, "widths", images);
    read(split.offsets_I, "offsets", images);
    read(split.image_digests_I, "image_digests", images);
    if (encoding == PackedEncoding::jpeg) {
        read(split.jpeg_lengths_I, "jpeg_lengths", images);
        read(split.jpeg_digests_I, "jpeg_digests", images);
    }
    read(split.lengths_C, "lengths", -1);
    const std::int64_t captions = split.caption_count();
    split.tokens_C40 = read_table<std::uint16_t>(group, "tokens", 2, captions, what);
    if (split.tokens_C40.size() != split.lengths_C.size() * max_caption_tokens)
        throw Error(ExitCode::bad_data, "{}: captions do not have room for {} tokens", what, max_caption_tokens);
    read(split.image_index_C, "image_index", captions);
    read(split.caption_digests_C, "caption_digests", captions);
    read(split.text_offsets_C1, "text_offsets", captions + 1);
    split.texts = read_text_table(group, "texts", what);
    const StoredTable stored = open_table(group, stored_table_name(encoding), H5T_STD_U8LE, 1, what);
    split.stored_bytes = stored.bytes;
    split.stored_start_bytes = stored.start_bytes();
    if (has_member(group, "skipped", what)) {
        try {
            split.skipped = skipped_from_text(read_text_table(group, "skipped", what));
        } catch (const std::invalid_argument& error) {
            throw_damaged(path, fmt::format("record of skipped pictures of {}: {}", name, error.what()));
        }
    }
    split.notes = read_integer_attributes(group, what);
    check_images(split, path);
    for (std::size_t i = 0; i < split.keys_I.size(); ++i) split.pixel_bytes += pixel_bytes(split, i);
    check_captions(split, path);
    return split;
}

}    // namespace blip
