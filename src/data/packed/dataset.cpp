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

void PackedDataset::damaged(const std::string& what) const { throw_damaged(path_, what); }

// Attributes of the whole file.
void PackedDataset::read_header(std::int64_t root) {
    const std::string what = path_.string();
    if (h5_check(H5Aexists(root, "format"), what + ": its attributes cannot be read") == 0 ||
        read_text_attribute(root, "format", what) != packed_format_name)
        throw Error(ExitCode::bad_data, what + ": is an HDF5 file, but not one that blip_mpi pack made");
    format_version_ = read_integer_attribute(root, "format_version", what);
    if (format_version_ < oldest_packed_format_version || format_version_ > packed_format_version)
        throw Error(ExitCode::bad_data,
                    "{}: has format version {}, this program reads {} to {}; pack it "
                    "again",
                    what, format_version_, oldest_packed_format_version, packed_format_version);
    if (format_version_ > 1) {
        const std::string name = read_text_attribute(root, "encoding", what);
        if (!encoding_from_name(name, encoding_)) damaged(fmt::format("encoding '{}' is neither raw nor jpeg", name));
    }
    data_digest_ = read_text_attribute(root, "data_digest", what);
    prompt_ = read_text_attribute(root, "prompt", what);
    const std::int64_t tokens = read_integer_attribute(root, "prompt_length", what);
    source_ = read_text_attribute(root, "source", what);
    if (tokens < 1 || tokens >= max_caption_tokens) damaged("prompt length is out of range");
    prompt_length_ = static_cast<int>(tokens);
}

PackedDataset PackedDataset::open_for_check(const std::filesystem::path& path) {
    PackedDataset dataset;
    dataset.path_ = path;
    dataset.fd_ = FileDescriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (!dataset.fd_ || fstat(dataset.fd_.get(), &status) != 0)
        throw Error(errno == ENOENT ? ExitCode::missing_input : ExitCode::io,
                    "{}: cannot be opened: {}; blip_mpi pack makes such files", path.string(), std::strerror(errno));
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
    dataset.read_header(file.get());
    dataset.vocabulary_text_ = read_text_table(file.get(), "vocabulary", what);
    for (const auto view : packed_split_names)
        if (const std::string name(view); has_member(file.get(), name, what))
            dataset.splits_.push_back(
                read_split_tables(file.get(), name, dataset.encoding_, dataset.format_version_, path));
    dataset.digest_matches_ =
        dataset.data_digest_ ==
        packed_data_digest(dataset.splits_, dataset.prompt_, dataset.prompt_length_, dataset.vocabulary_text_);
    return dataset;
}

PackedDataset PackedDataset::open(const std::filesystem::path& path) {
    PackedDataset dataset = open_for_check(path);
    if (!dataset.data_digest_matches())
        dataset.damaged("the data digest does not match (table of digests, vocabulary or prompt)");
    // Tables that are used before or without a batch: lengths for the token counts of a step, texts as references.
    // A tenth of a second for all of COCO.
    for (const SplitTables& split : dataset.splits())
        for (std::int64_t row = 0; row < split.caption_count(); ++row) dataset.verify_caption(split, row);
    return dataset;
}

bool PackedDataset::has_split(const std::string& name) const {
    return std::any_of(splits_.begin(), splits_.end(), [&](const auto& split) { return split.name == name; });
}

const SplitTables& PackedDataset::split(const std::string& name) const {
    std::string existing;
    for (const auto& split : splits_) {
        if (split.name == name) return split;
        existing += (existing.empty() ? "" : ", ") + split.name;
    }
    throw Error(ExitCode::bad_data, "{}: has no split '{}'; it has: {}", path_.string(), name,
                existing.empty() ? "none" : existing);
}

std::vector<std::uint8_t> PackedDataset::read_stored(const SplitTables& split, std::int64_t row) const {
    const auto i = static_cast<std::size_t>(row);
    std::vector<std::uint8_t> bytes(packed_image_bytes(split, i));    // opening checked that so many exist
    for (std::size_t done = 0; done < bytes.size();) {
        const ssize_t got = pread(fd_.get(), bytes.data() + done, bytes.size() - done,
                                  static_cast<off_t>(split.stored_start_bytes + split.offsets_I[i] + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            throw Error(ExitCode::io, "{}: reading {} failed: {}", path_.string(), describe_image(split, row),
                        std::strerror(errno));
        if (got == 0) damaged(describe_image(split, row) + " lies beyond the file's end");
        done += static_cast<std::size_t>(got);
    }
    return bytes;
}

// The bytes are intact: what goes wrong now is the decoder, or, in a file that is only being checked, a digest.
Image PackedDataset::decode_stored(const SplitTables& split, std::int64_t row,
                                   std::span<const std::uint8_t> jpeg) const {
    const auto i = static_cast<std::size_t>(row);
    std::string reason;
    try {
        Image image = decode_picture(jpeg, describe_image(split, row));
        if (image_digest(split.keys_I[i], image) == split.image_digests_I[i]) return image;
        if (!digest_matches_)
            damaged("digest mismatch of " + describe_image(split, row) + ": its pixels' digest changed");
        reason = "other pixels came out";
    } catch (const Error& error) {
        if (error.code() != ExitCode::bad_data || !digest_matches_) throw;
        reason = error.what();
    }
    throw Error(ExitCode::bad_data,
                "{}: {} is intact but is decoded otherwise here than where it was packed ({}): another "
                "decoder of pictures; pack again on this machine or with --encoding raw",
                path_.string(), describe_image(split, row), reason);
}

Image PackedDataset::read_image(const SplitTables& split, std::int64_t image_row) const {
    if (image_row < 0 || image_row >= split.image_count())
        throw Error(ExitCode::internal, describe_image(split, image_row) + " was asked for");
    const auto i = static_cast<std::size_t>(image_row);
    const ImageKey& key = split.keys_I[i];
    std::vector<std::uint8_t> bytes = read_stored(split, image_row);
    if (encoding_ == PackedEncoding::jpeg) {
        if (jpeg_digest(key, split.heights_I[i], split.widths_I[i], bytes) != split.jpeg_digests_I[i])
            damaged("digest mismatch of " + describe_image(split, image_row) + ": key, size or JPEG changed");
        return decode_stored(split, image_row, bytes);
    }
    Image image{split.heights_I[i], split.widths_I[i], std::move(bytes)};
    if (image_digest(key, image) != split.image_digests_I[i])
        damaged("digest mismatch of " + describe_image(split, image_row) + ": key, size or pixels changed");
    return image;
}

void PackedDataset::verify_caption(const SplitTables& split, std::int64_t caption_row) const {
    if (caption_row < 0 || caption_row >= split.caption_count())
        throw Error(ExitCode::internal, describe_caption(split, caption_row) + " was asked for");
    if (caption_digest(split, caption_row) != split.caption_digests_C[static_cast<std::size_t>(caption_row)])
        damaged("digest mismatch of " + describe_caption(split, caption_row) +
                ": tokens, length, image index or text changed");
    const std::uint16_t* tokens = split.tokens(caption_row);
    if (const auto* bad = std::find_if(tokens, tokens + max_caption_tokens,
                                       [](std::uint16_t token) { return token >= vocabulary_size; });
        bad != tokens + max_caption_tokens)
        damaged(fmt::format("token {} of {} is none of the {} of the vocabulary", *bad,
                            describe_caption(split, caption_row), vocabulary_size));
}

}    // namespace blip
