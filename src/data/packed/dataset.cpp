// Opening and reading the packed file. HDF5's library reads the tables and says where the pictures lie; pictures are
// then read past it, by as many threads as ask. Tables are checked when the file is opened (tables.cpp), pictures and
// captions against their digests whenever they are read.
#include "blip/data/packed/dataset.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/log.h"
#include "blip/data/packed/format.h"
#include "blip/image/picture.h"
#include "blip/text/wordpiece.h"
#include "src/data/packed/tables.h"

namespace blip {

struct PackedDataset::Impl {
    std::filesystem::path path;
    FileDescriptor fd;
    std::string data_digest;
    bool digest_matches = false;
    std::string vocabulary_text;
    std::string prompt;
    int prompt_length = 0;
    std::string source;
    PackedEncoding encoding = PackedEncoding::raw;
    std::int64_t format_version = 0;
    std::vector<SplitTables> splits;

    [[noreturn]] void damaged(const std::string& what) const { throw_damaged(path, what); }
    void read_header(hid_t root);
    std::vector<std::uint8_t> read_stored(const SplitTables& split, std::int64_t row) const;
    Image decode_stored(const SplitTables& split, std::int64_t row, std::span<const std::uint8_t> jpeg) const;
};

// Attributes of the whole file.
void PackedDataset::Impl::read_header(hid_t root) {
    const std::string what = path.string();
    if (h5_check(H5Aexists(root, "format"), what + ": its attributes cannot be read") == 0 ||
        read_text_attribute(root, "format", what) != packed_format_name)
        throw Error(ExitCode::bad_data, what + ": is an HDF5 file, but not one that blip_mpi pack made");
    format_version = read_integer_attribute(root, "format_version", what);
    if (format_version < oldest_packed_format_version || format_version > packed_format_version)
        throw Error(ExitCode::bad_data,
                    fmt::format("{}: has format version {}, this program reads {} to {}; pack it "
                                "again",
                                what, format_version, oldest_packed_format_version, packed_format_version));
    if (format_version > 1) {
        const std::string name = read_text_attribute(root, "encoding", what);
        if (!encoding_from_name(name, encoding)) damaged(fmt::format("encoding '{}' is neither raw nor jpeg", name));
    }
    data_digest = read_text_attribute(root, "data_digest", what);
    prompt = read_text_attribute(root, "prompt", what);
    const std::int64_t tokens = read_integer_attribute(root, "prompt_length", what);
    source = read_text_attribute(root, "source", what);
    if (tokens < 1 || tokens >= max_caption_tokens) damaged("prompt length is out of range");
    prompt_length = static_cast<int>(tokens);
}

PackedDataset PackedDataset::open_for_check(const std::filesystem::path& path) {
    auto impl = std::make_unique<Impl>();
    impl->path = path;
    impl->fd = FileDescriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (!impl->fd || fstat(impl->fd.get(), &status) != 0)
        throw Error(errno == ENOENT ? ExitCode::missing_input : ExitCode::io,
                    fmt::format("{}: cannot be opened: {}; blip_mpi pack makes such files", path.string(),
                                std::strerror(errno)));
    const std::string what = path.string();
    const bool packed_once = path.extension() == ".h5" || path.extension() == ".hdf5";
    const std::string remedy = packed_once ? "; copy it again, or make it anew with blip_mpi pack"
                                           : fmt::format(
                                                 "; pack it first, and give what comes out: blip_mpi pack {} "
                                                 "--out my.h5",
                                                 what);
    if (!S_ISREG(status.st_mode)) throw Error(ExitCode::bad_data, what + ": is not a file" + remedy);
    // by name, as the library asks for one; had the file been replaced since, no picture would match its digest
    const H5File file(h5_check(H5Fopen(path.c_str(), H5F_ACC_RDONLY, file_access().get()),
                               what + ": cannot be read as a whole HDF5 file" + remedy));
    if (!has_checksums(file))
        log_info(
            "{}: another program wrote its structures, without checksums: damage to them may crash HDF5's library; "
            "'h5repack -L FILE NEW' makes a file with checksums",
            what);
    impl->read_header(file.get());
    impl->vocabulary_text = read_text_table(file.get(), "vocabulary", what);
    for (const auto view : packed_split_names)
        if (const std::string name(view); has_member(file.get(), name, what))
            impl->splits.push_back(read_split_tables(file.get(), name, impl->encoding, impl->format_version, path));
    impl->digest_matches =
        impl->data_digest == packed_data_digest(impl->splits, impl->prompt, impl->prompt_length, impl->vocabulary_text);
    return PackedDataset(std::move(impl));
}

PackedDataset PackedDataset::open(const std::filesystem::path& path) {
    PackedDataset dataset = open_for_check(path);
    if (!dataset.data_digest_matches())
        dataset.impl_->damaged("the data digest does not match (table of digests, vocabulary or prompt)");
    // Tables that are used before or without a batch: lengths for the token counts of a step, texts as references.
    // A tenth of a second for all of COCO.
    for (const SplitTables& split : dataset.splits())
        for (std::int64_t row = 0; row < split.caption_count(); ++row) dataset.verify_caption(split, row);
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
std::string PackedDataset::vocabulary_digest() const { return blip::vocabulary_digest(impl_->vocabulary_text); }
const std::string& PackedDataset::prompt() const { return impl_->prompt; }
int PackedDataset::prompt_length() const { return impl_->prompt_length; }
PackedEncoding PackedDataset::encoding() const { return impl_->encoding; }
std::int64_t PackedDataset::format_version() const { return impl_->format_version; }
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

std::vector<std::uint8_t> PackedDataset::Impl::read_stored(const SplitTables& split, std::int64_t row) const {
    const auto i = static_cast<std::size_t>(row);
    std::vector<std::uint8_t> bytes(packed_image_bytes(split, i));    // opening checked that so many exist
    for (std::size_t done = 0; done < bytes.size();) {
        const ssize_t got = pread(fd.get(), bytes.data() + done, bytes.size() - done,
                                  static_cast<off_t>(split.stored_start_bytes + split.offsets_I[i] + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            throw Error(ExitCode::io, fmt::format("{}: reading {} failed: {}", path.string(),
                                                  describe_image(split, row), std::strerror(errno)));
        if (got == 0) damaged(describe_image(split, row) + " lies beyond the file's end");
        done += static_cast<std::size_t>(got);
    }
    return bytes;
}

// The bytes are intact: what goes wrong now is the decoder, or, in a file that is only being checked, a digest.
Image PackedDataset::Impl::decode_stored(const SplitTables& split, std::int64_t row,
                                         std::span<const std::uint8_t> jpeg) const {
    const auto i = static_cast<std::size_t>(row);
    std::string reason;
    try {
        Image image = decode_picture(jpeg, describe_image(split, row));
        if (image_digest(split.keys_I[i], image) == split.image_digests_I[i]) return image;
        if (!digest_matches)
            damaged("digest mismatch of " + describe_image(split, row) + ": its pixels' digest changed");
        reason = "other pixels came out";
    } catch (const Error& error) {
        if (error.code() != ExitCode::bad_data || !digest_matches) throw;
        reason = error.what();
    }
    throw Error(ExitCode::bad_data,
                fmt::format("{}: {} is intact but is decoded otherwise here than where it was packed ({}): another "
                            "decoder of pictures; pack again on this machine or with --encoding raw",
                            path.string(), describe_image(split, row), reason));
}

Image PackedDataset::read_image(const SplitTables& split, std::int64_t image_row) const {
    if (image_row < 0 || image_row >= split.image_count())
        throw Error(ExitCode::internal, describe_image(split, image_row) + " was asked for");
    const auto i = static_cast<std::size_t>(image_row);
    const ImageKey& key = split.keys_I[i];
    std::vector<std::uint8_t> bytes = impl_->read_stored(split, image_row);
    if (impl_->encoding == PackedEncoding::jpeg) {
        if (jpeg_digest(key, split.heights_I[i], split.widths_I[i], bytes) != split.jpeg_digests_I[i])
            impl_->damaged("digest mismatch of " + describe_image(split, image_row) + ": key, size or JPEG changed");
        return impl_->decode_stored(split, image_row, bytes);
    }
    Image image{split.heights_I[i], split.widths_I[i], std::move(bytes)};
    if (image_digest(key, image) != split.image_digests_I[i])
        impl_->damaged("digest mismatch of " + describe_image(split, image_row) + ": key, size or pixels changed");
    return image;
}

void PackedDataset::verify_caption(const SplitTables& split, std::int64_t caption_row) const {
    if (caption_row < 0 || caption_row >= split.caption_count())
        throw Error(ExitCode::internal, describe_caption(split, caption_row) + " was asked for");
    if (caption_digest(split, caption_row) != split.caption_digests_C[static_cast<std::size_t>(caption_row)])
        impl_->damaged("digest mismatch of " + describe_caption(split, caption_row) +
                       ": tokens, length, image index or text changed");
    const std::uint16_t* tokens = split.tokens(caption_row);
    if (const auto* bad = std::find_if(tokens, tokens + max_caption_tokens,
                                       [](std::uint16_t token) { return token >= vocabulary_size; });
        bad != tokens + max_caption_tokens)
        impl_->damaged(fmt::format("token {} of {} is none of the {} of the vocabulary", *bad,
                                   describe_caption(split, caption_row), vocabulary_size));
}

}    // namespace blip
