// Tars of samples as WebDataset has them, plain or compressed, read in a stream by libarchive. Used by tables.cpp for
// their texts, and by images.cpp for their pictures.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "blip/base/handle.h"

struct archive;
struct archive_entry;

namespace blip {

// Whether a file's name is one of a tar: .tar, .tar.gz, .tgz.
bool has_tar_name(const std::filesystem::path& path);

// The members of a tar, one after the other.
class Tar {
  public:
    // Errors, of the others as well: missing_input, io; bad_data for what is no tar, cut off or damaged.
    explicit Tar(const std::filesystem::path& path);
    // Goes on to the next file, over folders and links; false at the end.
    bool next();
    const std::string& name() const { return name_; }
    std::int64_t number() const { return number_; }    // among all members, from 0
    // The file's bytes, once, or the first of them that are enough. Throws bad_data too if there are more than
    // max_bytes.
    using Enough = std::function<bool(std::string_view first_bytes)>;
    std::string read(std::size_t max_bytes, const Enough& enough = {});
    std::int64_t file_bytes() const;                       // of the file, as its header has it
    std::int64_t bytes_read() const;                       // of the tar, as it is stored
    bool has_end_mark() const { return has_end_mark_; }    // told at the end

  private:
    struct Traits {
        using value_type = archive*;
        static archive* invalid() { return nullptr; }
        static void close(archive* tar) noexcept;
    };
    [[noreturn]] void fail() const;

    std::filesystem::path path_;
    Handle<Traits> archive_;
    archive_entry* entry_ = nullptr;    // the archive's
    std::string name_;
    std::int64_t number_ = -1;
    bool has_end_mark_ = false;
};

// Gives a row for each picture, in the tar's order: the sample's JSON with the picture's name as file_name, its text's
// lines as caption_column, and its key as image_id if it has no other. member: the picture's number. notes: samples
// without a picture or a caption. Throws bad_data for two pictures or texts of one key.
void read_samples(
    const std::filesystem::path& path, const std::string& caption_column, std::vector<std::string>& notes,
    const std::function<void(const nlohmann::json& row, const std::string& where, std::int64_t member)>& take);

// Pictures of tars for several threads that ask for each once, in about the tars' order.
class TarPictures {
  public:
    using Place = std::pair<std::size_t, std::int64_t>;    // which tar, which of its members
    struct Picture {
        std::string bytes;    // all, or the first that are enough
        std::uint64_t file_bytes = 0;
    };
    // places: ascending. enough: see Tar::read.
    TarPictures(const std::vector<std::filesystem::path>& tars, std::vector<Place> places, Tar::Enough enough);
    // What is at places[n], or what Tar throws. Those passed on the way are kept for the threads that will ask.
    Picture read(std::size_t n);

  private:
    Picture read_next();

    const std::vector<std::filesystem::path>& tars_;
    const std::vector<Place> places_;
    const Tar::Enough enough_;
    std::mutex mutex_;
    std::optional<Tar> tar_;
    std::size_t next_ = 0;                                  // place to read
    std::map<std::size_t, std::future<Picture>> passed_;    // pictures or exceptions, all there
};

}    // namespace blip
