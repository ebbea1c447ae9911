// See the header.
#include "data_prep/coco_pack/images.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <span>
#include <unordered_map>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/parallel_for.h"
#include "blip/base/printable.h"
#include "blip/image/picture.h"
#include "blip/text/caption_text.h"
#include "data_prep/coco_pack/problems.h"
#include "data_prep/coco_pack/progress.h"
#include "data_prep/coco_pack/readers/tars.h"

namespace blip {

namespace {

namespace fs = std::filesystem;

std::span<const std::uint8_t> as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// A picture's place: split and row, and its number over all splits.
struct Place {
    std::size_t split;
    std::size_t row;
};

const SourceImage& image_at(const Source& source, const Place& place) {
    return source.splits[place.split].images[place.row];
}

std::vector<Place> all_places(const Source& source) {
    std::vector<Place> places;
    for (std::size_t s = 0; s < source.splits.size(); ++s)
        for (std::size_t row = 0; row < source.splits[s].images.size(); ++row) places.push_back({s, row});
    // those in tars in the tars' order
    std::stable_sort(places.begin(), places.end(), [&](const Place& a, const Place& b) {
        const SourceImage &one = image_at(source, a), &other = image_at(source, b);
        return std::pair(one.tar, one.member) < std::pair(other.tar, other.member);
    });
    return places;
}

// Large EXIF blocks may stand before it.
bool has_header(std::string_view first_bytes) {
    try {
        picture_size(as_bytes(first_bytes), "");
        return true;
    } catch (const Error&) {
        return false;
    }
}

// Gives the bytes of each picture, to any thread, once.
class PictureFiles {
  public:
    // headers: of pictures in tars the first bytes are read until they have the header.
    PictureFiles(const Source& source, const std::vector<Place>& places, bool headers)
        : source_(source), places_(places) {
        if (source.tars.empty()) return;
        std::vector<TarPictures::Place> in_tars;
        for (const Place& place : places)
            in_tars.emplace_back(image_at(source, place).tar, image_at(source, place).member);
        tars_.emplace(source.tars, std::move(in_tars), headers ? has_header : Tar::Enough());
    }
    bool in_tars() const { return tars_.has_value(); }
    // for messages; of a file, where it is
    fs::path path(std::size_t n) const {
        const SourceImage& image = image_at(source_, places_[n]);
        return (in_tars() ? source_.tars[image.tar] : source_.folder) / image.file;
    }
    TarPictures::Picture read(std::size_t n) {
        if (tars_) return tars_->read(n);
        std::string bytes = read_regular_file(path(n), max_picture_file_bytes);
        const std::uint64_t file_bytes = bytes.size();
        return {std::move(bytes), file_bytes};
    }

  private:
    const Source& source_;
    const std::vector<Place>& places_;
    std::optional<TarPictures> tars_;
};

// What the first pass learns of a picture.
struct Look {
    ImageSize size;
    std::uint64_t file_bytes = 0;
    std::vector<std::vector<TokenId>> tokens;    // of its captions
};

// Most headers are within the first 32 KiB; large EXIF blocks need the whole file: then it is false.
bool look_at_header(const fs::path& path, Look& look) {
    try {
        look.size = picture_size(as_bytes(first_bytes(path, 32768)), path.string());
    } catch (const Error&) {
        return false;    // judged by the whole file
    }
    std::error_code ignored;
    look.file_bytes = fs::file_size(path, ignored);    // one that went away is met again when it is packed
    return true;
}

ImageSize decoded_size(const std::string& bytes, const fs::path& path) {
    const Image image = decode_picture(as_bytes(bytes), path.string());
    return {image.height, image.width};
}

// Takes the pictures with problems out of the source and of looks, which go by places; what was skipped of each split
// is returned. Throws where a split loses all.
std::vector<std::vector<SkippedImage>> skip_pictures(Source& source, const PictureProblems& problems,
                                                     const std::vector<Place>& places, std::vector<Look>& looks) {
    std::vector<std::vector<SkippedImage>> skipped(source.splits.size());
    std::vector<std::int64_t> captions(source.splits.size(), 0);
    std::vector<Look> kept;
    std::vector<std::vector<SourceImage>> images(source.splits.size());
    for (std::size_t n = 0; n < places.size(); ++n) {
        SourceImage& image = source.splits[places[n].split].images[places[n].row];
        if (const auto found = problems.all().find(n); found != problems.all().end()) {
            skipped[places[n].split].push_back({image.id, image.file.string(), found->second.reason});
            captions[places[n].split] += static_cast<std::int64_t>(image.captions.size());
        } else {
            kept.push_back(std::move(looks[n]));
            images[places[n].split].push_back(std::move(image));
        }
    }
    looks = std::move(kept);
    for (std::size_t s = 0; s < images.size(); ++s) {
        SourceSplit& split = source.splits[s];
        if (images[s].empty())
            problems.throw_if_any(
                fmt::format("none of the {} images of {} can be used; nothing was written; is it the right folder "
                            "(--coco, --images)? "
                            "--splits packs "
                            "the other splits alone",
                            skipped[s].size(), split.name));
        split.images = std::move(images[s]);
        split.decision("skipped_images") = std::ssize(skipped[s]);
        split.decision("skipped_captions") = captions[s];
    }
    count_shared_images(source.splits);
    fmt::print("{}left out with their {} captions (--skip-bad)\n", problems.list(),
               std::accumulate(captions.begin(), captions.end(), std::int64_t{0}));
    return skipped;
}

void tell_equal_pictures(const Source& source, const std::vector<Place>& places,
                         const std::vector<std::uint64_t>& digests) {
    constexpr std::size_t most_listed = 10;
    std::unordered_map<std::uint64_t, std::size_t> first;
    std::size_t count = 0;
    std::string pairs;
    const auto name = [&](std::size_t n) {
        return source.splits[places[n].split].name + " " + printable_line(image_at(source, places[n]).id.text);
    };
    for (std::size_t n = 0; n < places.size(); ++n) {
        const std::size_t earlier = first.try_emplace(digests[n], n).first->second;
        if (image_at(source, places[n]).id == image_at(source, places[earlier]).id) continue;
        if (++count <= most_listed) pairs += fmt::format("  {} and {}\n", name(earlier), name(n));
    }
    if (count > 0)
        fmt::print("{} {} the pixels of one under another key; kept:\n{}", counted(count, "picture"),
                   count == 1 ? "has" : "have", pairs);
    if (count > most_listed) fmt::print("  and {} more\n", count - most_listed);
}

}    // namespace

Tables make_tables(Source& source, const PictureOptions& options, const WordPieceTokenizer& tokenizer,
                   const std::string& prompt) {
    std::vector<Place> places = all_places(source);
    std::vector<Look> looks(places.size());
    PictureProblems problems;
    {
        PictureFiles files(source, places, !options.skip_bad);
        Progress progress(options.skip_bad ? "looking at" : "reading headers of",
                          static_cast<std::int64_t>(places.size()));
        const auto look_at = [&](std::int64_t number) {
            const auto n = static_cast<std::size_t>(number);
            const SourceImage& image = image_at(source, places[n]);
            const fs::path path = files.path(n);
            try {
                if (options.skip_bad || files.in_tars() || !look_at_header(path, looks[n])) {
                    const auto [bytes, file_bytes] = files.read(n);
                    looks[n].size =
                        options.skip_bad ? decoded_size(bytes, path) : picture_size(as_bytes(bytes), path.string());
                    looks[n].file_bytes = file_bytes;
                }
            } catch (const Error& error) {
                if (error.code() == ExitCode::internal) throw;
                problems.add(n, error, path, image.where);
            }
            for (const auto& text : image.captions) looks[n].tokens.push_back(caption_tokens(tokenizer, text, prompt));
        };
        parallel_for(static_cast<std::int64_t>(places.size()), options.threads, look_at,
                     [&](std::int64_t done) { progress.update(done); });
    }
    std::vector<std::vector<SkippedImage>> skipped(source.splits.size());
    if (options.skip_bad && problems.found()) {
        skipped = skip_pictures(source, problems, places, looks);
        places = all_places(source);
    } else
        problems.throw_if_any(
            "nothing was written; give the pictures' folder (--images, --coco), or leave these out with --skip-bad");

    Tables tables;
    tables.splits.resize(source.splits.size());
    for (std::size_t s = 0; s < source.splits.size(); ++s) {
        tables.splits[s].name = source.splits[s].name;
        tables.splits[s].notes = source.splits[s].decisions;
        tables.splits[s].skipped = std::move(skipped[s]);
    }
    for (std::size_t n = 0; n < places.size(); ++n) {
        SplitTables& split = tables.splits[places[n].split];
        const SourceImage& image = image_at(source, places[n]);
        Look& look = looks[n];
        const std::int64_t row =
            options.encoding == PackedEncoding::jpeg
                ? add_jpeg(split, image.id, look.size.height, look.size.width, look.file_bytes,
                           image.file.generic_string())
                : add_image(split, image.id, look.size.height, look.size.width, image.file.generic_string());
        for (std::size_t k = 0; k < image.captions.size(); ++k)
            add_caption(split, row, look.tokens[k], image.captions[k]);
        tables.jpeg_bytes += look.file_bytes;
        look.tokens = {};
    }
    return tables;
}

void write_images(PackedWriter& writer, const Source& source, const PictureOptions& options) {
    const std::vector<Place> places = all_places(source);
    PictureFiles files(source, places, false);
    PictureProblems problems;
    std::vector<std::uint64_t> digests(places.size());    // of size and pixels
    Progress progress("packing", static_cast<std::int64_t>(places.size()));
    const auto pack = [&](std::int64_t number) {
        const auto n = static_cast<std::size_t>(number);
        const auto row = static_cast<std::int64_t>(places[n].row);
        const fs::path path = files.path(n);
        try {
            const std::string bytes = files.read(n).bytes;
            // once one is bad nothing will be kept: the rest is decoded to list all that are
            if (options.encoding == PackedEncoding::jpeg && !problems.found()) {
                digests[n] = writer.write_jpeg(places[n].split, row, as_bytes(bytes), path.string());
            } else {
                const Image image = decode_picture(as_bytes(bytes), path.string());
                if (!problems.found()) digests[n] = writer.write_image(places[n].split, row, image);
            }
        } catch (const Error& error) {
            if (error.code() == ExitCode::internal ||
                std::string(error.what()).find(printable_message(path.string())) == std::string::npos)
                throw;
            problems.add(n, error, path, image_at(source, places[n]).where);
        }
    };
    parallel_for(static_cast<std::int64_t>(places.size()), options.threads, pack,
                 [&](std::int64_t done) { progress.update(done); });
    problems.throw_if_any(
        options.skip_bad
            ? "nothing was written; these files were in order a moment ago: pack again"
            : "nothing was written; give the pictures' folder (--images, --coco), or leave these out with --skip-bad");
    fmt::print("packed {}\n", progress.finish());
    tell_equal_pictures(source, places, digests);
}

}    // namespace blip
