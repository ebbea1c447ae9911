// Creating the packed file. HDF5 lays out contiguous datasets; the pictures are then written past it with pwrite, so
// that all cores can write at once and HDF5 is called from one thread only.
#include "blip/data/packed/writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <span>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/data/hdf5_file.h"
#include "blip/data/packed/format.h"
#include "blip/image/picture.h"

namespace blip {

std::int64_t add_image(SplitTables& split, const ImageKey& key, int height, int width, const std::string& file) {
    if (height < 1 || width < 1 || height > packed_max_side || width > packed_max_side)
        throw Error(ExitCode::bad_data, "image {} has the impossible size {}x{}", key.text, width, height);
    const std::uint64_t bytes = static_cast<std::uint64_t>(height) * static_cast<std::uint64_t>(width) * 3;
    split.keys_I.push_back(key);
    split.files_I.push_back(file);
    split.heights_I.push_back(height);
    split.widths_I.push_back(width);
    split.offsets_I.push_back(split.stored_bytes);
    split.image_digests_I.push_back(0);
    split.pixel_bytes += bytes;
    split.stored_bytes += bytes;
    return split.image_count() - 1;
}

std::int64_t add_jpeg(SplitTables& split, const ImageKey& key, int height, int width, std::uint64_t jpeg_bytes,
                      const std::string& file) {
    const std::int64_t row = add_image(split, key, height, width, file);
    split.stored_bytes = split.offsets_I.back() + jpeg_bytes;
    split.jpeg_lengths_I.push_back(jpeg_bytes);
    split.jpeg_digests_I.push_back(0);
    return row;
}

void add_caption(SplitTables& split, std::int64_t image_row, const std::vector<TokenId>& tokens,
                 std::string_view text) {
    if (tokens.empty() || tokens.size() > static_cast<std::size_t>(max_caption_tokens) || image_row < 0 ||
        image_row >= split.image_count() || (!split.image_index_C.empty() && image_row < split.image_index_C.back()))
        throw Error(ExitCode::internal, "caption of image row {} of {} does not fit: {} tokens", image_row, split.name,
                    tokens.size());
    if (split.text_offsets_C1.empty()) split.text_offsets_C1.push_back(0);
    split.tokens_C40.insert(split.tokens_C40.end(), tokens.begin(), tokens.end());
    split.lengths_C.push_back(static_cast<std::int32_t>(tokens.size()));
    split.tokens_C40.resize(split.lengths_C.size() * max_caption_tokens, 0);
    split.image_index_C.push_back(static_cast<std::int32_t>(image_row));
    split.texts += text;
    split.text_offsets_C1.push_back(split.texts.size());
    split.caption_digests_C.push_back(caption_digest(split, split.caption_count() - 1));
}

namespace {

std::uint64_t names_bytes(const SplitTables& split) {
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < split.keys_I.size(); ++i)
        bytes += split.files_I[i].size() + (split.keys_I[i].number() ? 0 : split.keys_I[i].text.size());
    return bytes;
}

}    // namespace

std::uint64_t packed_file_bytes(const std::vector<SplitTables>& splits, const PackedDescription& description) {
    std::uint64_t bytes = description.vocabulary_text.size() + (1U << 16);    // and HDF5's own structures
    for (const auto& split : splits)
        bytes += split.stored_bytes + split.keys_I.size() * (8 + 4 + 4 + 8 + 8 + 8 + 8) + names_bytes(split) +
                 split.jpeg_lengths_I.size() * 16 + split.lengths_C.size() * (2 * max_caption_tokens + 4 + 4 + 8 + 8) +
                 split.texts.size() + skipped_to_text(split.skipped).size();
    return bytes;
}

namespace {

// For all of the file, so that a full disk or a spent quota is told of before the pictures are decoded. A file system
// that cannot do so (EOPNOTSUPP) tells when they are written.
void set_space_aside(int fd, const std::filesystem::path& path) {
    const auto bytes = static_cast<off_t>(std::filesystem::file_size(path));
    while (::fallocate(fd, 0, 0, bytes) != 0) {
        if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG) throw_io("set space aside for", path, errno);
        if (errno != EINTR) return;
    }
}

}    // namespace

struct PackedWriter::Impl {
    std::filesystem::path path, temporary;
    PackedDescription description;
    std::vector<SplitTables> splits;
    std::vector<std::atomic<std::int64_t>> missing;    // images of a split still to be written
    H5File file;
    std::vector<H5Dataset> digest_tables, jpeg_digest_tables;    // one for each split; the latter with encoding jpeg
    FileDescriptor fd;
    bool committed = false;

    ~Impl() {
        digest_tables.clear();
        jpeg_digest_tables.clear();
        file.reset();
        std::error_code ignored;
        if (!committed) std::filesystem::remove(temporary, ignored);
    }
    void create_file();
    void create_split(SplitTables& split);
    void check_size(const SplitTables& split, std::int64_t row, int height, int width) const;
    void write_bytes(const SplitTables& split, std::int64_t row, std::span<const std::uint8_t> bytes) const;
    bool is_jpeg() const { return description.encoding == PackedEncoding::jpeg; }
};

void PackedWriter::Impl::create_file() {
    const std::string what = temporary.string();
    const std::string failed = what + ": cannot be created";
    const H5Plist access = file_access();
    const H5Plist create(h5_check(H5Pcreate(H5P_FILE_CREATE), failed, ExitCode::io));
    h5_check(H5Pset_obj_track_times(create.get(), false), failed, ExitCode::io);
    // version 1.8 structures carry checksums, so that damage to them is noticed; every HDF5 since 2008 reads them
    h5_check(H5Pset_libver_bounds(access.get(), H5F_LIBVER_V18, H5F_LIBVER_V18), failed, ExitCode::io);
    h5_check(H5Pset_alignment(access.get(), 1U << 16, 4096), failed, ExitCode::io);    // pixels on page boundaries
    file = H5File(h5_check(H5Fcreate(what.c_str(), H5F_ACC_EXCL, create.get(), access.get()), failed, ExitCode::io));
    write_attribute(file.get(), "format", std::string(packed_format_name), what);
    write_attribute(file.get(), "format_version", packed_format_version, what);
    write_attribute(file.get(), "encoding", std::string(encoding_name(description.encoding)), what);
    write_attribute(file.get(), "prompt", description.prompt, what);
    write_attribute(file.get(), "prompt_length", description.prompt_length, what);
    write_attribute(file.get(), "source", description.source, what);
    const std::vector<std::uint8_t> words(description.vocabulary_text.begin(), description.vocabulary_text.end());
    write_table(create_table(file.get(), "vocabulary", element_type<std::uint8_t>(), {words.size()}, what), words,
                what);
}

void PackedWriter::Impl::create_split(SplitTables& split) {
    const std::string what = temporary.string() + ", split " + split.name;
    const H5Plist create(h5_check(H5Pcreate(H5P_GROUP_CREATE), what + ": cannot be created", ExitCode::io));
    h5_check(H5Pset_obj_track_times(create.get(), false), what + ": cannot be created", ExitCode::io);
    const H5Group group(h5_check(H5Gcreate2(file.get(), split.name.c_str(), H5P_DEFAULT, create.get(), H5P_DEFAULT),
                                 what + ": cannot be created", ExitCode::io));
    const auto put = [&]<class T>(const char* name, const std::vector<T>& values) {
        H5Dataset table = create_table(group.get(), name, element_type<T>(), {values.size()}, what);
        write_table(table, values, what);
        return table;
    };
    for (const auto& [name, count] : split.notes) write_attribute(group.get(), name, count, what);
    // COCO's keys are numbers, as they always were; others are texts beside them
    std::vector<std::int64_t> numbers;
    std::vector<std::string> texts;
    for (const ImageKey& key : split.keys_I) {
        numbers.push_back(key.number().value_or(key.is_number));
        texts.push_back(key.number() ? "" : key.text);
    }
    const auto put_texts = [&](const char* name, const char* offsets_name, const std::vector<std::string>& lines) {
        std::vector<std::uint8_t> bytes;
        std::vector<std::uint64_t> offsets = {0};
        for (const std::string& line : lines) {
            bytes.insert(bytes.end(), line.begin(), line.end());
            offsets.push_back(bytes.size());
        }
        if (bytes.empty()) return;    // h5repack compresses no empty table
        put(name, bytes);
        put(offsets_name, offsets);
    };
    put("image_ids", numbers);
    put_texts("key_texts", "key_offsets", texts);
    put_texts("files", "file_offsets", split.files_I);
    write_attribute(group.get(), "names_digest", packed_names_digest(split), what);
    put("heights", split.heights_I);
    put("widths", split.widths_I);
    put("offsets", split.offsets_I);
    digest_tables.push_back(put("image_digests", split.image_digests_I));
    if (is_jpeg()) {
        put("jpeg_lengths", split.jpeg_lengths_I);
        jpeg_digest_tables.push_back(put("jpeg_digests", split.jpeg_digests_I));
    }
    const hsize_t captions = split.lengths_C.size();
    write_table(
        create_table(group.get(), "tokens", element_type<std::uint16_t>(), {captions, max_caption_tokens}, what),
        split.tokens_C40, what);
    put("lengths", split.lengths_C);
    put("image_index", split.image_index_C);
    put("caption_digests", split.caption_digests_C);
    put("text_offsets", split.text_offsets_C1);
    put("texts", std::vector<std::uint8_t>(split.texts.begin(), split.texts.end()));
    if (const std::string lines = skipped_to_text(split.skipped); !lines.empty())
        put("skipped", std::vector<std::uint8_t>(lines.begin(), lines.end()));
    const H5Dataset stored = create_table(group.get(), stored_table_name(description.encoding),
                                          element_type<std::uint8_t>(), {split.stored_bytes}, what);
    const haddr_t start = H5Dget_offset(stored.get());
    if (start == HADDR_UNDEF) throw Error(ExitCode::internal, what + ": HDF5 gave the pictures no place in the file");
    split.stored_start_bytes = start;
}

PackedWriter::PackedWriter(const std::filesystem::path& path, PackedDescription description,
                           std::vector<SplitTables> splits)
    : impl_(std::make_unique<Impl>()) {
    impl_->path = path;
    impl_->temporary = path;
    impl_->temporary += fmt::format(".tmp.{}", getpid());
    impl_->description = std::move(description);
    impl_->splits = std::move(splits);
    impl_->missing = std::vector<std::atomic<std::int64_t>>(impl_->splits.size());
    impl_->create_file();
    for (std::size_t s = 0; s < impl_->splits.size(); ++s) {
        auto& split = impl_->splits[s];
        if (split.image_count() == 0 || split.caption_count() == 0)
            throw Error(ExitCode::internal, "split " + split.name + " is empty");
        if (split.jpeg_lengths_I.size() != (impl_->is_jpeg() ? split.keys_I.size() : 0))
            throw Error(ExitCode::internal, "split " + split.name + " is of another encoding than the file");
        impl_->missing[s] = split.image_count();
        impl_->create_split(split);
    }
    h5_check(H5Fflush(impl_->file.get(), H5F_SCOPE_GLOBAL), impl_->temporary.string() + ": writing failed",
             ExitCode::io);
    impl_->fd = FileDescriptor(::open(impl_->temporary.c_str(), O_WRONLY | O_CLOEXEC));
    if (!impl_->fd)
        throw Error(ExitCode::io, "{}: cannot be opened: {}", impl_->temporary.string(), std::strerror(errno));
    set_space_aside(impl_->fd.get(), impl_->temporary);
}

PackedWriter::~PackedWriter() = default;

const std::vector<SplitTables>& PackedWriter::splits() const { return impl_->splits; }

void PackedWriter::Impl::check_size(const SplitTables& split, std::int64_t row, int height, int width) const {
    const auto i = static_cast<std::size_t>(row);
    if (height != split.heights_I.at(i) || width != split.widths_I.at(i))
        throw Error(ExitCode::bad_data,
                    "{} is {}x{} now, but was {}x{} before: its file changed while it "
                    "was being packed; pack again",
                    describe_image(split, row), width, height, split.widths_I[i], split.heights_I[i]);
}

void PackedWriter::Impl::write_bytes(const SplitTables& split, std::int64_t row,
                                     std::span<const std::uint8_t> bytes) const {
    const std::uint64_t place = split.stored_start_bytes + split.offsets_I[static_cast<std::size_t>(row)];
    for (std::size_t done = 0; done < bytes.size();) {
        const ssize_t wrote =
            pwrite(fd.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(place + done));
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0)
            throw Error(ExitCode::io, "{}: writing {} failed: {}", temporary.string(), describe_image(split, row),
                        std::strerror(errno));
        done += static_cast<std::size_t>(wrote);
    }
}

std::uint64_t PackedWriter::write_image(std::size_t split_index, std::int64_t image_row, const ImageView& image) {
    auto& split = impl_->splits.at(split_index);
    const auto i = static_cast<std::size_t>(image_row);
    if (impl_->is_jpeg()) throw Error(ExitCode::internal, "pixels were given for a file of JPEGs");
    impl_->check_size(split, image_row, image.height, image.width);
    impl_->write_bytes(
        split, image_row,
        {image.pixels_HWC, static_cast<std::size_t>(image.height) * static_cast<std::size_t>(image.width) * 3});
    split.image_digests_I[i] = image_digest(split.keys_I[i], image);
    impl_->missing[split_index].fetch_sub(1);
    return image_digest(0, image);
}

std::uint64_t PackedWriter::write_jpeg(std::size_t split_index, std::int64_t image_row,
                                       std::span<const std::uint8_t> jpeg, const std::string& origin) {
    auto& split = impl_->splits.at(split_index);
    const auto i = static_cast<std::size_t>(image_row);
    if (!impl_->is_jpeg()) throw Error(ExitCode::internal, "a JPEG was given for a file of pixels");
    if (jpeg.size() != split.jpeg_lengths_I.at(i))
        throw Error(ExitCode::bad_data,
                    "{} has {} bytes now, but had {} before: its file changed while it "
                    "was being packed; pack again",
                    describe_image(split, image_row), jpeg.size(), split.jpeg_lengths_I[i]);
    // while the caches hold what was just read; of a picture that does not decode nothing stays, as nothing is
    // committed
    impl_->write_bytes(split, image_row, jpeg);
    const Image image = decode_picture(jpeg, origin);
    impl_->check_size(split, image_row, image.height, image.width);
    split.jpeg_digests_I[i] = jpeg_digest(split.keys_I[i], image.height, image.width, jpeg);
    split.image_digests_I[i] = image_digest(split.keys_I[i], image);
    impl_->missing[split_index].fetch_sub(1);
    return image_digest(0, image);
}

std::string PackedWriter::commit() {
    const std::string what = impl_->temporary.string();
    for (std::size_t s = 0; s < impl_->splits.size(); ++s) {
        if (impl_->missing[s] != 0)
            throw Error(ExitCode::internal, "{}: {} images of {} were not written", what, impl_->missing[s].load(),
                        impl_->splits[s].name);
        write_table(impl_->digest_tables[s], impl_->splits[s].image_digests_I, what);
        if (impl_->is_jpeg()) write_table(impl_->jpeg_digest_tables[s], impl_->splits[s].jpeg_digests_I, what);
    }
    const std::string digest = packed_data_digest(impl_->splits, impl_->description.prompt,
                                                  impl_->description.prompt_length, impl_->description.vocabulary_text);
    write_attribute(impl_->file.get(), "data_digest", digest, what);
    impl_->digest_tables.clear();
    impl_->jpeg_digest_tables.clear();
    h5_check(H5Fclose(impl_->file.release()), what + ": closing failed", ExitCode::io);
    impl_->fd.reset();
    publish_file(impl_->temporary, impl_->path);
    impl_->committed = true;
    return digest;
}

}    // namespace blip
