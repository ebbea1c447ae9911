// Opening and reading the packed file. Nothing read from it is trusted before it is checked: sizes before memory is
// allocated, indices before they are used, pixels and captions against their digests.
#include "blip/data/packed_dataset.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/data/hdf5_file.h"
#include "blip/data/packed_format.h"

namespace blip {

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

struct PackedDataset::Impl {
    std::filesystem::path path;
    FileDescriptor fd;
    std::string data_digest;
    bool digest_matches = false;
    std::string vocabulary_text;
    std::string prompt;
    int prompt_length = 0;
    std::string source;
    std::vector<SplitTables> splits;

    [[noreturn]] void damaged(const std::string& what) const {
        throw Error(ExitCode::bad_data, fmt::format("{}: {}; the file is damaged: find all damage with "
                                                    "'coco_pack --check', then pack it again",
                                                    path.string(), what));
    }
    void check_images(const SplitTables& split) const;
    void check_captions(const SplitTables& split) const;
    SplitTables read_split(hid_t file, const std::string& name, std::uint64_t file_bytes) const;
};

// Image sizes and offsets must tile the pixels without gap; a wrong size and a wrong offset are told apart by whether
// the neighbour disagrees as well.
void PackedDataset::Impl::check_images(const SplitTables& split) const {
    const auto fits = [&](std::size_t i) {
        const std::int32_t height = split.heights_I[i], width = split.widths_I[i];
        if (height < 1 || width < 1 || height > packed_max_side || width > packed_max_side) return false;
        const std::uint64_t start = split.offsets_I[i];
        const std::uint64_t end = i + 1 < split.offsets_I.size() ? split.offsets_I[i + 1] : split.pixel_bytes;
        return start <= end && end <= split.pixel_bytes &&
               end - start == static_cast<std::uint64_t>(height) * static_cast<std::uint64_t>(width) * 3;
    };
    const std::size_t count = split.image_ids_I.size();
    for (std::size_t i = 0; i < count; ++i) {
        if (i == 0 && split.offsets_I[0] != 0) damaged("offset of " + describe_image(split, 0) + " is not 0");
        if (fits(i)) continue;
        if (i + 1 < count && !fits(i + 1))
            damaged("offset of " + describe_image(split, static_cast<std::int64_t>(i + 1)) +
                    " disagrees with the sizes");
        damaged(fmt::format("size {}x{} of {} disagrees with the offsets", split.widths_I[i], split.heights_I[i],
                            describe_image(split, static_cast<std::int64_t>(i))));
    }
    if (count == 0 && split.pixel_bytes != 0) damaged("split " + split.name + " has pixels but no images");
}

void PackedDataset::Impl::check_captions(const SplitTables& split) const {
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

SplitTables PackedDataset::Impl::read_split(hid_t file, const std::string& name, std::uint64_t file_bytes) const {
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
    const TableView texts = open_table(group.get(), "texts", H5Element<std::uint8_t>::stored(), 1, file_bytes, what);
    split.texts.resize(texts.size_bytes);
    if (texts.size_bytes != 0)
        h5_check(H5Dread(texts.dataset.get(), H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, split.texts.data()),
                 what + ": reading the texts failed");
    const TableView pixels = open_table(group.get(), "pixels", H5Element<std::uint8_t>::stored(), 1, file_bytes, what);
    split.pixel_bytes = pixels.size_bytes;
    split.pixels_start_bytes = pixels.start_bytes;
    split.notes = read_integer_attributes(group.get(), what);
    check_images(split);
    check_captions(split);
    return split;
}

PackedDataset PackedDataset::open_for_check(const std::filesystem::path& path) {
    h5_initialise();
    auto impl = std::make_unique<Impl>();
    impl->path = path;
    impl->fd = FileDescriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status {};
    if (!impl->fd || fstat(impl->fd.get(), &status) != 0)
        throw Error(
            errno == ENOENT ? ExitCode::missing_input : ExitCode::io,
            fmt::format("{}: cannot be opened: {}; make it with coco_pack", path.string(), std::strerror(errno)));
    if (!S_ISREG(status.st_mode))
        throw Error(ExitCode::bad_data, path.string() + ": is not a file; give a file made by coco_pack");
    const auto file_bytes = static_cast<std::uint64_t>(status.st_size);
    const std::string what = path.string();

    const H5File file(h5_check(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT),
                               what + ": is no HDF5 file, or it is truncated; make it with coco_pack"));
    if (H5Aexists(file.get(), "format") <= 0 || read_text_attribute(file.get(), "format", what) != packed_format_name)
        throw Error(ExitCode::bad_data, what + ": is an HDF5 file, but not one made by coco_pack");
    if (const auto version = read_integer_attribute(file.get(), "format_version", what);
        version != packed_format_version)
        throw Error(ExitCode::bad_data, fmt::format("{}: has format version {}, this program reads {}; pack it again",
                                                    what, version, packed_format_version));
    impl->data_digest = read_text_attribute(file.get(), "data_digest", what);
    impl->prompt = read_text_attribute(file.get(), "prompt", what);
    impl->prompt_length = static_cast<int>(read_integer_attribute(file.get(), "prompt_length", what));
    impl->source = read_text_attribute(file.get(), "source", what);
    if (impl->prompt_length < 1 || impl->prompt_length >= max_caption_tokens)
        impl->damaged("prompt length is out of range");
    const auto vocabulary = read_table<std::uint8_t>(file.get(), "vocabulary", 1, -1, file_bytes, what);
    impl->vocabulary_text.assign(vocabulary.begin(), vocabulary.end());
    for (const auto name : packed_split_names)
        if (H5Lexists(file.get(), std::string(name).c_str(), H5P_DEFAULT) > 0)
            impl->splits.push_back(impl->read_split(file.get(), std::string(name), file_bytes));
    impl->digest_matches =
        impl->data_digest == packed_data_digest(impl->splits, impl->prompt, impl->prompt_length, impl->vocabulary_text);
    return PackedDataset(std::move(impl));
}

PackedDataset PackedDataset::open(const std::filesystem::path& path) {
    PackedDataset dataset = open_for_check(path);
    if (!dataset.data_digest_matches())
        dataset.impl_->damaged("the data digest does not match (table of digests, vocabulary or prompt)");
    return dataset;
}

PackedDataset::PackedDataset(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PackedDataset::PackedDataset(PackedDataset&&) noexcept = default;
PackedDataset& PackedDataset::operator=(PackedDataset&&) noexcept = default;
PackedDataset::~PackedDataset() = default;

const std::filesystem::path& PackedDataset::path() const { return impl_->path; }
const std::string& PackedDataset::data_digest() const { return impl_->data_digest; }
bool PackedDataset::data_digest_matches() const { return impl_->digest_matches; }
const std::string& PackedDataset::vocabulary_text() const { return impl_->vocabulary_text; }
const std::string& PackedDataset::prompt() const { return impl_->prompt; }
int PackedDataset::prompt_length() const { return impl_->prompt_length; }
const std::string& PackedDataset::source() const { return impl_->source; }
const std::vector<SplitTables>& PackedDataset::splits() const { return impl_->splits; }

bool PackedDataset::has_split(const std::string& name) const {
    return std::any_of(impl_->splits.begin(), impl_->splits.end(),
                       [&](const auto& split) { return split.name == name; });
}

const SplitTables& PackedDataset::split(const std::string& name) const {
    std::string existing;
    for (const auto& split : impl_->splits) {
        if (split.name == name) return split;
        existing += (existing.empty() ? "" : ", ") + split.name;
    }
    throw Error(ExitCode::bad_data, fmt::format("{}: has no split '{}'; it has: {}", impl_->path.string(), name,
                                                existing.empty() ? "none" : existing));
}

Image PackedDataset::read_image(const SplitTables& split, std::int64_t image_row) const {
    if (image_row < 0 || image_row >= split.image_count())
        throw Error(ExitCode::internal, describe_image(split, image_row) + " was asked for");
    const auto i = static_cast<std::size_t>(image_row);
    Image image;
    image.height = split.heights_I[i];
    image.width = split.widths_I[i];
    const std::size_t bytes = static_cast<std::size_t>(image.height) * static_cast<std::size_t>(image.width) * 3;
    image.pixels_HWC.resize(bytes);    // opening checked that so many bytes exist
    for (std::size_t done = 0; done < bytes;) {
        const ssize_t got = pread(impl_->fd.get(), image.pixels_HWC.data() + done, bytes - done,
                                  static_cast<off_t>(split.pixels_start_bytes + split.offsets_I[i] + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            throw Error(ExitCode::io, fmt::format("{}: reading {} failed: {}", impl_->path.string(),
                                                  describe_image(split, image_row), std::strerror(errno)));
        if (got == 0) impl_->damaged(describe_image(split, image_row) + " lies beyond the file's end");
        done += static_cast<std::size_t>(got);
    }
    if (image_digest(split.image_ids_I[i], image) != split.image_digests_I[i])
        impl_->damaged("digest mismatch of " + describe_image(split, image_row) + ": id, size or pixels changed");
    return image;
}

void PackedDataset::verify_caption(const SplitTables& split, std::int64_t caption_row) const {
    if (caption_row < 0 || caption_row >= split.caption_count())
        throw Error(ExitCode::internal, describe_caption(split, caption_row) + " was asked for");
    if (caption_digest(split, caption_row) != split.caption_digests_C[static_cast<std::size_t>(caption_row)])
        impl_->damaged("digest mismatch of " + describe_caption(split, caption_row) +
                       ": tokens, length, image index or text changed");
}

}    // namespace blip
