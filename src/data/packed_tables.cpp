// Reading the tables of a packed file. Nothing is trusted before it is checked: sizes before memory is allocated,
// indices before they are used.
#include "packed_tables.h"

#include <fmt/format.h>

#include <stdexcept>

#include "blip/base/error.h"
#include "blip/data/hdf5_file.h"
#include "blip/data/packed_format.h"

namespace blip {

namespace fs = std::filesystem;

std::string describe_image(const SplitTables& split, std::int64_t row) {
    const auto i = static_cast<std::size_t>(row);
    if (i >= split.image_ids_I.size()) return fmt::format("image row {} of {} (no such row)", row, split.name);
    return fmt::format("image {} ({}, row {})", split.image_ids_I[i], split.name, row);
}

std::string describe_caption(const SplitTables& split, std::int64_t row) {
    const auto c = static_cast<std::size_t>(row);
    if (c >= split.image_index_C.size()) return fmt::format("caption row {} of {} (no such row)", row, split.name);
    const auto i = static_cast<std::size_t>(split.image_index_C[c]);
    if (i >= split.image_ids_I.size()) return fmt::format("caption row {} ({}, image unknown)", row, split.name);
    return fmt::format("caption row {} ({}, image {})", row, split.name, split.image_ids_I[i]);
}

void throw_damaged(const fs::path& path, const std::string& what) {
    throw Error(ExitCode::bad_data,
                fmt::format("{}: {}; the file is damaged: find all damage with 'coco_pack --check', "
                            "then pack it again",
                            path.string(), what));
}

std::string read_text_table(hid_t group, const char* name, std::uint64_t file_bytes, const std::string& what) {
    const TableView table = open_table(group, name, H5Element<std::uint8_t>::stored(), 1, file_bytes, what);
    std::string text(table.size_bytes, '\0');
    if (!text.empty())
        h5_check(H5Dread(table.dataset.get(), H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, text.data()),
                 fmt::format("{}: reading dataset '{}' failed", what, name));
    return text;
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
        const std::uint64_t start = split.offsets_I[i];
        const std::uint64_t end = i + 1 < split.offsets_I.size() ? split.offsets_I[i + 1] : split.stored_bytes;
        return start <= end && end <= split.stored_bytes && end - start == packed_image_bytes(split, i);
    };
    const std::size_t count = split.image_ids_I.size();
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

SplitTables read_split_tables(hid_t file, const std::string& name, PackedEncoding encoding, std::uint64_t file_bytes,
                              const fs::path& path) {
    const std::string what = path.string() + ", split " + name;
    const H5Group group(h5_check(H5Gopen2(file, name.c_str(), H5P_DEFAULT), what + " is not readable"));
    SplitTables split;
    split.name = name;
    split.image_ids_I = read_table<std::int64_t>(group.get(), "image_ids", 1, -1, file_bytes, what);
    const std::int64_t images = split.image_count();
    split.heights_I = read_table<std::int32_t>(group.get(), "heights", 1, images, file_bytes, what);
    split.widths_I = read_table<std::int32_t>(group.get(), "widths", 1, images, file_bytes, what);
    split.offsets_I = read_table<std::uint64_t>(group.get(), "offsets", 1, images, file_bytes, what);
    split.image_digests_I = read_table<std::uint64_t>(group.get(), "image_digests", 1, images, file_bytes, what);
    if (encoding == PackedEncoding::jpeg) {
        split.jpeg_lengths_I = read_table<std::uint64_t>(group.get(), "jpeg_lengths", 1, images, file_bytes, what);
        split.jpeg_digests_I = read_table<std::uint64_t>(group.get(), "jpeg_digests", 1, images, file_bytes, what);
    }
    split.lengths_C = read_table<std::int32_t>(group.get(), "lengths", 1, -1, file_bytes, what);
    const std::int64_t captions = split.caption_count();
    const TableView tokens = open_table(group.get(), "tokens", H5Element<std::uint16_t>::stored(), 2, file_bytes, what);
    if (tokens.shape[1] != static_cast<hsize_t>(max_caption_tokens))
        throw Error(ExitCode::bad_data, fmt::format("{}: captions have room for {} tokens instead of {}", what,
                                                    tokens.shape[1], max_caption_tokens));
    split.tokens_C40 = read_table<std::uint16_t>(group.get(), "tokens", 2, captions, file_bytes, what);
    split.image_index_C = read_table<std::int32_t>(group.get(), "image_index", 1, captions, file_bytes, what);
    split.caption_digests_C = read_table<std::uint64_t>(group.get(), "caption_digests", 1, captions, file_bytes, what);
    split.text_offsets_C1 = read_table<std::uint64_t>(group.get(), "text_offsets", 1, captions + 1, file_bytes, what);
    split.texts = read_text_table(group.get(), "texts", file_bytes, what);
    const TableView stored =
        open_table(group.get(), stored_table_name(encoding), H5Element<std::uint8_t>::stored(), 1, file_bytes, what);
    split.stored_bytes = stored.size_bytes;
    split.stored_start_bytes = stored.start_bytes;
    if (H5Lexists(group.get(), "skipped", H5P_DEFAULT) > 0) {
        try {
            split.skipped = skipped_from_text(read_text_table(group.get(), "skipped", file_bytes, what));
        } catch (const std::invalid_argument& error) {
            throw_damaged(path, fmt::format("record of skipped pictures of {}: {}", name, error.what()));
        }
    }
    split.notes = read_integer_attributes(group.get(), what);
    check_images(split, path);
    for (std::size_t i = 0; i < split.image_ids_I.size(); ++i) split.pixel_bytes += pixel_bytes(split, i);
    check_captions(split, path);
    return split;
}

}    // namespace blip
