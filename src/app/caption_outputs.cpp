// See caption_outputs.h.
#include "src/app/caption_outputs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <unordered_set>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/json.h"
#include "blip/base/log.h"
#include "blip/base/parallel_for.h"
#include "blip/base/printable.h"
#include "blip/base/standard_output.h"
#include "blip/text/text_file.h"

namespace blip {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// A JSON object for each caption, with an index if there are several; one with the error if there is none.
std::vector<Json> rows_of(const CaptionedPicture& picture) {
    const std::string file = picture.file.string();
    if (!picture.problem.empty()) return {{{"file", file}, {"error", picture.problem}}};
    std::vector<Json> rows;
    for (std::size_t i = 0; i < picture.captions.size(); ++i) {
        Json row = {{"file", file}};
        if (picture.captions.size() > 1) row["index"] = i;
        row["caption"] = picture.captions[i].text;
        row["log_probability"] = picture.captions[i].log_probability;
        rows.push_back(std::move(row));
    }
    return rows;
}

// Lines "FILE: CAPTION", or of JSON, which alone has lines of unreadable pictures.
class PrintedCaptions : public CaptionOutput {
  public:
    explicit PrintedCaptions(bool json) : json_(json) {}

    void write(const std::vector<CaptionedPicture>& pictures) override {
        std::string lines;
        for (const CaptionedPicture& picture : pictures) {
            if (json_)
                // a file's name may be any bytes; JSON is UTF-8
                for (const Json& row : rows_of(picture)) lines += printable_line(to_line(row)) + "\n";
            else
                for (const Caption& caption : picture.captions)
                    lines += printable_line(fmt::format("{}: {}", picture.file.string(), caption.text)) + "\n";
        }
        write_standard_output(lines, "captions");
    }

  private:
    bool json_;
};

// NAME.txt for NAME.jpg, a caption a line. Each file is there as a whole or not at all.
class SideFiles : public CaptionOutput {
  public:
    SideFiles(const CaptionFileOptions& options, const std::vector<ListedPicture>& pictures) : options_(options) {
        std::map<fs::path, fs::path> picture_of;
        std::vector<std::string> there;
        for (const ListedPicture& picture : pictures) {
            fs::path target = options.output.empty() ? picture.file : options.output / picture.name;
            target.replace_extension(".txt");
            const auto [other, is_new] = picture_of.emplace(target, picture.file);
            if (!is_new && other->second != picture.file)
                throw Error(ExitCode::usage, "{} and {} would both have {}: rename one of them, or --write csv",
                            other->second.string(), picture.file.string(), target.string());
            if (is_new && holds_text(target)) there.push_back(target.string());
            targets_.emplace(picture.file, std::move(target));
        }
        if (there.empty() || options.skip_existing || options.overwrite) return;
        throw Error(ExitCode::usage,
                    "{} of {} pictures have a text beside them already, as {}: "
                    "--skip-existing leaves these as they are, --overwrite replaces them",
                    there.size(), pictures.size(), there[0]);
    }

    void leave_out_done(std::vector<ListedPicture>& pictures) override {
        std::unordered_set<std::string> met;
        std::erase_if(pictures, [&](const auto& picture) {
            const fs::path& target = targets_.at(picture.file);
            return !met.insert(target.string()).second || (options_.skip_existing && holds_text(target));
        });
    }

    void write(const std::vector<CaptionedPicture>& pictures) override {
        // at once, as each waits for the disk
        parallel_for(std::ssize(pictures), 8, [&](std::int64_t i) {
            const CaptionedPicture& picture = pictures[static_cast<std::size_t>(i)];
            if (!picture.problem.empty()) return;
            std::string text;
            for (const Caption& caption : picture.captions) text += caption.text + "\n";
            const fs::path& target = targets_.at(picture.file);
            if (target.has_parent_path()) make_folders(target.parent_path());
            write_file_durably(target, text);
        });
    }

    std::string to_go_on() const override { return " with --skip-existing"; }

  private:
    // An empty one is what a full disk or a lost machine leaves.
    static bool holds_text(const fs::path& target) {
        std::error_code absent;
        return fs::exists(target, absent) &&
               (!fs::is_regular_file(target, absent) || fs::file_size(target, absent) > 0);
    }

    const CaptionFileOptions& options_;
    std::map<fs::path, fs::path> targets_;    // of each picture
};

// One file of CSV or of JSON lines, which grows by each batch.
class CaptionTable : public CaptionOutput {
  public:
    explicit CaptionTable(const CaptionFileOptions& options) : file_(options.output), csv_(options.form == "csv") {
        if (file_.has_parent_path()) make_folders(file_.parent_path());
        std::string kept;
        if (!options.overwrite && fs::exists(file_)) kept = csv_ ? kept_csv() : kept_lines();
        if (kept.empty() && csv_) kept = csv_heading;
        write_file_durably(file_, kept);
        fd_ = FileDescriptor(::open(file_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
        if (!fd_) fail(errno);
    }
    ~CaptionTable() override { ::fsync(fd_.get()); }

    void leave_out_done(std::vector<ListedPicture>& pictures) override {
        if (done_.empty()) return;
        const std::size_t all = pictures.size();
        std::erase_if(pictures, [&](const auto& picture) { return done_.contains(shown(picture.file)); });
        log_info("{}: {} of {} pictures have their captions there, which stay; --overwrite makes them anew",
                 file_.string(), all - pictures.size(), all);
    }

    void write(const std::vector<CaptionedPicture>& pictures) override {
        std::string text;
        for (const CaptionedPicture& picture : pictures) {
            if (!csv_)
                for (const Json& row : rows_of(picture)) text += to_line(row) + "\n";
            else
                for (const Caption& caption : picture.captions)
                    text += fmt::format("{},{},{}\n", csv_cell(shown(picture.file)), csv_cell(caption.text),
                                        caption.log_probability);
        }
        const off_t before = ::lseek(fd_.get(), 0, SEEK_END);
        if (write_all(fd_.get(), text)) return;
        const int problem = errno;
        // no half of a batch stays; where that fails too, the next run drops a torn line
        if (::ftruncate(fd_.get(), before) != 0) log_warning("{} ends with a torn line", file_.string());
        fail(problem);
    }

  private:
    static constexpr const char* csv_heading = "file,caption,log_probability\n";

    [[noreturn]] void fail(int problem) const { throw_io("write captions to", file_, problem); }
    [[noreturn]] void refuse(std::int64_t line) const {
        throw Error(ExitCode::bad_data,
                    "{}: line {} is none that --write {} wrote: choose another file, or --overwrite replaces it",
                    file_.string(), line, csv_ ? "csv" : "jsonl");
    }
    // A name as a table holds it: UTF-8.
    static std::string shown(const fs::path& file) { return Json::parse(to_line(Json(file.string()))); }

    // What stays of an earlier run: whole lines, of pictures that have captions.
    std::string whole_lines() const {
        std::string text = read_file(file_);
        text.erase(text.rfind('\n') + 1);    // npos + 1 = 0
        return text;
    }
    std::string kept_csv() {
        std::string text = whole_lines();
        if (!text.empty() && !text.starts_with(csv_heading)) refuse(1);
        JsonFile messages;
        messages.path = file_;
        messages.remedy = "--overwrite replaces it";
        for_each_row(messages, text, ',', [&](std::int64_t line, const std::vector<std::string>& cells) {
            if (cells.size() != 3) refuse(line);
            if (line > 1) done_.insert(cells[0]);
        });
        return text;
    }
    std::string kept_lines() {
        std::string kept;
        for_each_line(whole_lines(), [&](std::int64_t line, std::string_view one) {
            const Json row = Json::parse(one, nullptr, false);
            if (!row.is_object() || !row.contains("file") || !row["file"].is_string() ||
                row.contains("caption") == row.contains("error"))
                refuse(line);
            if (row.contains("error")) return;    // it may be readable by now
            done_.insert(row["file"].get<std::string>());
            kept += fmt::format("{}\n", one);
        });
        return kept;
    }

    fs::path file_;
    bool csv_;
    std::unordered_set<std::string> done_;
    FileDescriptor fd_;
};

}    // namespace

std::unique_ptr<CaptionOutput> open_caption_output(const Options& options, const std::vector<ListedPicture>& pictures) {
    if (options.write.form.empty()) return std::make_unique<PrintedCaptions>(options.json);
    if (options.write.form == "txt") return std::make_unique<SideFiles>(options.write, pictures);
    return std::make_unique<CaptionTable>(options.write);
}

}    // namespace blip
