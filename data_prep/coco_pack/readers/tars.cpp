// See the header.
#include "data_prep/coco_pack/readers/tars.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "blip/base/error.h"
#include "blip/base/printable.h"
#include "blip/image/picture.h"
#include "blip/text/caption_rows.h"
#include "blip/text/image_key.h"
#include "blip/text/text_file.h"
#include "data_prep/coco_pack/progress.h"
#include "data_prep/coco_pack/readers/coco.h"
#include "data_prep/coco_pack/readers/folders.h"

namespace blip {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::size_t max_text_bytes = 16 << 20;

}    // namespace

bool has_tar_name(const fs::path& path) {
    return path.extension() == ".tar" || path.extension() == ".tgz" ||
           (path.extension() == ".gz" && path.stem().extension() == ".tar");
}

void Tar::Traits::close(archive* tar) noexcept { archive_read_free(tar); }

Tar::Tar(const fs::path& path) : path_(path), archive_(archive_read_new()) {
    if (!fs::exists(path)) throw Error(ExitCode::missing_input, "{}: no such file", path.string());
    archive_read_support_filter_gzip(archive_.get());
    archive_read_support_format_tar(archive_.get());
    if (archive_read_open_filename(archive_.get(), path.c_str(), 1 << 14) != ARCHIVE_OK) fail();
}

void Tar::fail() const {
    const int problem = archive_errno(archive_.get());
    const char* const text = archive_error_string(archive_.get());
    if (problem == EIO || problem == EACCES)
        throw Error(ExitCode::io, "{}: {}", path_.string(), std::strerror(problem));
    const std::string said = printable_line(text == nullptr ? "it ends too early" : text);
    throw Error(ExitCode::bad_data,
                number_ < 0 ? fmt::format("{}: is no tar that can be read ({}); unpack it, or fetch it again",
                                          path_.string(), said)
                            : fmt::format("{}: the tar is cut off or damaged at or after member {} ({}); fetch or make "
                                          "it again",
                                          path_.string(), printable_line(name_), said));
}

bool Tar::next() {
    for (;;) {
        const int result = archive_read_next_header(archive_.get(), &entry_);
        if (result == ARCHIVE_EOF) break;
        if (result != ARCHIVE_OK && result != ARCHIVE_WARN) fail();
        ++number_;
        const char* const name = archive_entry_pathname(entry_);
        name_ = name == nullptr ? "" : name;
        if (archive_entry_filetype(entry_) == AE_IFREG && archive_entry_hardlink(entry_) == nullptr) return true;
    }

    // libarchive takes any end: the last member may lack its last bytes, or the mark may be missing
    const std::int64_t end = archive_read_header_position(archive_.get());
    if (archive_filter_code(archive_.get(), 0) == ARCHIVE_FILTER_NONE &&
        static_cast<std::uint64_t>(end) > fs::file_size(path_))
        fail();
    has_end_mark_ = archive_filter_bytes(archive_.get(), 0) > end;
    return false;
}

std::int64_t Tar::bytes_read() const { return archive_filter_bytes(archive_.get(), -1); }

std::int64_t Tar::file_bytes() const { return std::max<std::int64_t>(archive_entry_size(entry_), 0); }

std::string Tar::read(std::size_t max_bytes, const Enough& enough) {
    constexpr std::size_t first_part_bytes = 1 << 15, part_bytes = 1 << 20;
    std::string bytes;
    // a short tar could ask for any number of zeros
    if (archive_entry_sparse_count(entry_) > 0)
        throw Error(ExitCode::bad_data, "{}: member {} is stored as a sparse file: make the tar without that",
                    path_.string(), printable_line(name_));
    for (;;) {
        const std::size_t begin = bytes.size();
        // what the header says is not believed before the bytes are there
        const auto rest = static_cast<std::size_t>(file_bytes()) - begin;
        // one more than the rest, so that the end is met in place
        bytes.resize(begin + std::min(rest + 1, enough && begin == 0 ? first_part_bytes : part_bytes));
        const la_ssize_t count = archive_read_data(archive_.get(), bytes.data() + begin, bytes.size() - begin);
        if (count < 0) fail();
        bytes.resize(begin + static_cast<std::size_t>(count));
        if (count == 0 || (enough && enough(bytes))) return bytes;
        if (bytes.size() > max_bytes)
            throw Error(ExitCode::bad_data,
                        "{}: larger than {} bytes, which is more than is read of such "
                        "a file",
                        (path_ / printable_line(name_)).string(), max_bytes);
    }
}

namespace {

struct Sample {
    std::string picture, text, table;    // names of its members
    std::int64_t member = 0;             // the picture's
    json captions = json::array(), row = json::object();
};

// What is made of members on the way.
class SampleReader {
  public:
    SampleReader(const fs::path& path, std::string caption_column) : column_(std::move(caption_column)) {
        file_.path = path;
        file_.remedy = "a sample is key.jpg and key.txt or key.json; a key ends at the first dot of the name";
    }

    void take(Tar& tar) {
        const fs::path name = fs::path(tar.name()).lexically_normal();
        for (const fs::path& part : name)    // what systems leave in folders
            if (part != ".." && part.string().starts_with('.')) return;
        const std::string base = name.filename().string();
        const bool is_text = has_side_file_name(name), is_picture = has_picture_name(name);
        if (!is_picture && !is_text && lower_ending(name) != ".json") return;
        const std::string key = (name.parent_path() / base.substr(0, base.find('.'))).generic_string();
        Sample& sample = samples_[key];
        if (is_picture) {
            name_once(sample.picture, name.string());
            sample.member = tar.number();
            order_[sample.member] = key;
            return;
        }
        name_once(is_text ? sample.text : sample.table, name.string());
        const fs::path origin = file_.path / printable_line(name.string());
        const std::string bytes = tar.read(max_text_bytes);
        if (is_text) {
            for_each_line(as_text(bytes, origin), [&](std::int64_t, std::string_view line) {
                if (line.find_first_not_of(" \t") != std::string_view::npos) sample.captions.push_back(line);
            });
            return;
        }
        JsonFile table = parse_json(bytes, origin, {}, correct_it);
        check_all_text_was_seen(table);
        if (!table.root.is_object()) bad_json(table, "the whole file", "is not an object");
        sample.row = std::move(table.root);
    }

    void give(std::vector<std::string>& notes,
              const std::function<void(const json&, const std::string&, std::int64_t)>& take) {
        std::vector<std::string> without_caption, without_picture;
        for (const auto& [key, sample] : samples_)
            if (sample.picture.empty()) without_picture.push_back(sample.text.empty() ? sample.table : sample.text);
        for (const auto& [member, key] : order_) {
            Sample sample = std::move(samples_[key]);
            json& row = sample.row;
            const bool has_key = std::any_of(std::begin(key_names), std::end(key_names), [&](const char* name) {
                return row.contains(name) && !row[name].is_null();
            });
            row.erase("conversations");
            row["file_name"] = sample.picture;
            if (!has_key && !coco_number(sample.picture)) row["image_id"] = key;
            if (!sample.text.empty() || sample.table.empty()) row[column_] = sample.captions;
            if (sample.text.empty() && sample.table.empty()) without_caption.push_back(sample.picture);
            take(row, "member " + sample.picture, member);
        }
        for (const auto& [names, what] : {std::pair(&without_caption, "caption"), {&without_picture, "picture"}})
            if (!names->empty())
                notes.push_back(fmt::format("{}: {} samples have no {} and are left out (the first: member {})",
                                            file_.path.string(), names->size(), what, names->front()));
    }

  private:
    void name_once(std::string& name, const std::string& member) const {
        if (!name.empty())
            bad_json(
                file_, "member " + printable_line(member),
                fmt::format("is of the same sample as {}: give each sample a key of its own, with one picture and one "
                            "text",
                            printable_line(name)));
        name = member;
    }

    JsonFile file_;
    std::string column_;
    std::map<std::string, Sample> samples_;
    std::map<std::int64_t, std::string> order_;    // keys by their pictures' numbers
};

}    // namespace

void read_samples(const fs::path& path, const std::string& caption_column, std::vector<std::string>& notes,
                  const std::function<void(const json&, const std::string&, std::int64_t)>& take) {
    SampleReader reader(path, caption_column);
    Tar tar(path);
    constexpr std::int64_t megabyte = 1'000'000;
    Progress progress("reading captions of " + printable_line(path.string()),
                      static_cast<std::int64_t>(fs::file_size(path)) / megabyte, "MB");
    while (tar.next()) {
        progress.update(tar.bytes_read() / megabyte);
        reader.take(tar);
    }

    if (!tar.has_end_mark())
        notes.push_back(
            fmt::format("{}: the tar has no end mark and may be cut off after member {}", path.string(), tar.name()));
    reader.give(notes, take);
}

TarPictures::TarPictures(const std::vector<fs::path>& tars, std::vector<Place> places, Tar::Enough enough)
    : tars_(tars), places_(std::move(places)), enough_(std::move(enough)) {}

TarPictures::Picture TarPictures::read_next() {
    const auto [tar, member] = places_.at(next_++);
    if (!tar_ || places_[std::max<std::size_t>(next_, 2) - 2].first != tar) tar_.emplace(tars_.at(tar));
    do
        if (!tar_->next())
            throw Error(ExitCode::bad_data, "{}: has changed since it was looked at; pack again", tars_[tar].string());
    while (tar_->number() < member);
    std::string bytes = tar_->read(max_picture_file_bytes, enough_);
    return {std::move(bytes), static_cast<std::uint64_t>(tar_->file_bytes())};
}

TarPictures::Picture TarPictures::read(std::size_t n) {
    const std::lock_guard lock(mutex_);
    while (next_ <= n) {
        std::promise<Picture> result;
        passed_[next_] = result.get_future();
        try {
            result.set_value(read_next());
        } catch (const Error&) {
            result.set_exception(std::current_exception());
        }
    }

    return passed_.extract(n).mapped().get();
}

}    // namespace blip
