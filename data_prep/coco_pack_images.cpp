// See the header.
#include "coco_pack_images.h"

#include <fmt/format.h>

#include <atomic>
#include <fstream>
#include <map>
#include <mutex>
#include <span>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/data/parallel_for.h"
#include "blip/image/jpeg.h"
#include "blip/text/caption_text.h"
#include "coco_pack_progress.h"

namespace blip {

namespace {

constexpr std::size_t most_listed = 20;

std::span<const std::uint8_t> as_bytes(const std::string& text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// A picture's place: split and row, and its number over all splits.
struct Place {
    std::size_t split;
    std::size_t row;
};

std::vector<Place> all_places(const Source& source) {
    std::vector<Place> places;
    for (std::size_t s = 0; s < source.splits.size(); ++s)
        for (std::size_t row = 0; row < source.splits[s].images.size(); ++row) places.push_back({s, row});
    return places;
}

// Pictures that cannot be used, by their number, from any thread.
class Problems {
  public:
    void add(std::size_t number, const Error& error) {
        const std::lock_guard lock(mutex_);
        (error.code() == ExitCode::bad_data ? damaged_ : missing_).emplace(number, error.what());
        found_ = true;
    }
    bool found() const { return found_; }
    void throw_if_any() const {
        if (!found_) return;
        std::string message;
        list(missing_, "missing or cannot be read", message);
        list(damaged_, "damaged", message);
        throw Error(missing_.empty() ? ExitCode::bad_data : ExitCode::missing_input,
                    message + "nothing was written; fetch these files again");
    }

  private:
    static void list(const std::map<std::size_t, std::string>& problems, const char* kind, std::string& message) {
        if (problems.empty()) return;
        message += fmt::format("{} image{} {} {}:\n", problems.size(), problems.size() == 1 ? "" : "s",
                               problems.size() == 1 ? "is" : "are", kind);
        std::size_t listed = 0;
        for (const auto& [number, text] : problems) {
            if (listed++ == most_listed) break;
            message += "  " + text + "\n";
        }
        if (problems.size() > most_listed) message += fmt::format("  and {} more\n", problems.size() - most_listed);
    }

    std::mutex mutex_;
    std::atomic<bool> found_{false};
    std::map<std::size_t, std::string> missing_, damaged_;
};

// Size of a JPEG. Most headers are within the first 32 KiB; large EXIF blocks need the whole file.
ImageSize size_of_file(const std::filesystem::path& path) {
    std::string head(32768, '\0');
    std::ifstream file(path, std::ios::binary);
    if (file) {
        file.read(head.data(), static_cast<std::streamsize>(head.size()));
        head.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
        try {
            return jpeg_size(as_bytes(head), path.string());
        } catch (const Error&) {
            // judged by the whole file below
        }
    }
    return jpeg_size(as_bytes(read_file(path)), path.string());
}

}    // namespace

std::vector<SplitTables> make_tables(const Source& source, const std::filesystem::path& coco,
                                     const WordPieceTokenizer& tokenizer, const std::string& prompt, int threads) {
    const std::vector<Place> places = all_places(source);
    std::vector<ImageSize> sizes(places.size());
    std::vector<std::vector<std::vector<TokenId>>> tokens(places.size());
    Problems problems;
    Progress progress("reading headers of", static_cast<std::int64_t>(places.size()));
    const auto look_at = [&](std::int64_t number) {
        const auto n = static_cast<std::size_t>(number);
        const SourceImage& image = source.splits[places[n].split].images[places[n].row];
        try {
            sizes[n] = size_of_file(coco / image.file);
        } catch (const Error& error) {
            problems.add(n, error);
        }
        for (const auto& text : image.captions) tokens[n].push_back(caption_tokens(tokenizer, text, prompt));
    };
    parallel_for(static_cast<std::int64_t>(places.size()), threads, look_at,
                 [&](std::int64_t done) { progress.update(done); });
    problems.throw_if_any();

    std::vector<SplitTables> tables(source.splits.size());
    for (std::size_t s = 0; s < tables.size(); ++s) {
        tables[s].name = source.splits[s].name;
        tables[s].notes = source.splits[s].decisions;
    }
    for (std::size_t n = 0; n < places.size(); ++n) {
        SplitTables& split = tables[places[n].split];
        const SourceImage& image = source.splits[places[n].split].images[places[n].row];
        const std::int64_t row = add_image(split, image.id, sizes[n].height, sizes[n].width);
        for (std::size_t k = 0; k < image.captions.size(); ++k)
            add_caption(split, row, tokens[n][k], image.captions[k]);
        tokens[n] = {};
    }
    return tables;
}

void write_images(PackedWriter& writer, const Source& source, const std::filesystem::path& coco, int threads) {
    const std::vector<Place> places = all_places(source);
    Problems problems;
    Progress progress("packing", static_cast<std::int64_t>(places.size()));
    const auto pack = [&](std::int64_t number) {
        const auto n = static_cast<std::size_t>(number);
        const std::filesystem::path path = coco / source.splits[places[n].split].images[places[n].row].file;
        try {
            const Image image = decode_jpeg(as_bytes(read_file(path)), path.string());
            // once one is bad nothing will be kept: the rest is decoded to list all that are
            if (!problems.found()) writer.write_image(places[n].split, static_cast<std::int64_t>(places[n].row), image);
        } catch (const Error& error) {
            if (error.code() == ExitCode::internal ||
                std::string(error.what()).find(path.string()) == std::string::npos)
                throw;
            problems.add(n, error);
        }
    };
    parallel_for(static_cast<std::int64_t>(places.size()), threads, pack,
                 [&](std::int64_t done) { progress.update(done); });
    problems.throw_if_any();
    fmt::print("packed {}\n", progress.finish());
}

}    // namespace blip
