// See the header.
#include "data_prep/coco_pack/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "blip/base/error.h"
#include "blip/base/printable.h"
#include "blip/data/packed/check.h"
#include "blip/data/packed/format.h"
#include "data_prep/coco_pack/progress.h"

namespace blip {

namespace {

constexpr std::size_t most_skipped_shown = 20;

}    // namespace

void print_split(const SplitTables& split) {
    const auto [min_height, max_height] = std::minmax_element(split.heights_I.begin(), split.heights_I.end());
    const auto [min_width, max_width] = std::minmax_element(split.widths_I.begin(), split.widths_I.end());
    const auto longest = std::max_element(split.lengths_C.begin(), split.lengths_C.end());
    const double tokens = std::accumulate(split.lengths_C.begin(), split.lengths_C.end(), 0.0);
    const std::string stored =
        split.jpeg_lengths_I.empty() ? "" : fmt::format(" in {} of JPEGs", human_bytes(split.stored_bytes));
    fmt::print("{}: {} images, {} captions, {} of pixels{}\n", split.name, split.image_count(), split.caption_count(),
               human_bytes(split.pixel_bytes), stored);
    if (split.image_count() == 0 || split.caption_count() == 0) return;
    fmt::print("  sizes {}x{} to {}x{}, {:.1f} tokens a caption, at most {}\n", *min_width, *min_height, *max_width,
               *max_height, tokens / static_cast<double>(split.caption_count()), *longest);
    for (const auto& [name, count] : split.notes) {
        if (count == 0) continue;
        const auto known = std::find_if(source_decisions.begin(), source_decisions.end(),
                                        [&](const auto& decision) { return decision.first == name; });
        fmt::print("  {} {} ({})\n", count, known == source_decisions.end() ? "" : known->second, printable_line(name));
    }
}

void print_info(const std::filesystem::path& path) {
    const PackedDataset data = PackedDataset::open_for_check(path);
    const std::string& words = data.vocabulary_text();
    fmt::print("{}: format version {}, encoding {}, {}\n", path.string(), data.format_version(),
               encoding_name(data.encoding()), human_bytes(std::filesystem::file_size(path)));
    fmt::print("data digest {}{}\n", data.data_digest(),
               data.data_digest_matches() ? "" : " DOES NOT MATCH the tables: run --check");
    fmt::print("packed from: {}\n", printable_line(data.source()));
    fmt::print("prompt '{}' ({} tokens with [DEC]), vocabulary of {} words\n", printable_line(data.prompt()),
               data.prompt_length(),
               std::count(words.begin(), words.end(), '\n') + (!words.empty() && words.back() != '\n'));
    for (const auto& split : data.splits()) {
        print_split(split);
        for (std::size_t i = 0; i < std::min(split.skipped.size(), most_skipped_shown); ++i)
            fmt::print("    skipped image {}: {}: {}\n", split.skipped[i].id, printable_line(split.skipped[i].file),
                       printable_line(split.skipped[i].reason));
        if (split.skipped.size() > most_skipped_shown)
            fmt::print("    and {} more in the file's dataset {}/skipped\n", split.skipped.size() - most_skipped_shown,
                       split.name);
    }
}

void run_check(const std::filesystem::path& path, int threads) {
    PackedCheck result;
    std::string rate;
    {
        std::unique_ptr<Progress> progress;
        result = check_packed_file(path, threads, [&](std::int64_t done, std::int64_t total) {
            if (!progress) progress = std::make_unique<Progress>("checking", total);
            progress->update(done);
        });
        if (progress) rate = progress->finish();
    }
    if (result.damaged != 0) {
        std::string message =
            fmt::format("{} of {} elements are damaged:\n", result.damaged, result.images + result.captions);
        for (const auto& line : result.messages) message += "  " + line + "\n";
        if (result.damaged > static_cast<std::int64_t>(result.messages.size()))
            message +=
                fmt::format("  and {} more\n", result.damaged - static_cast<std::int64_t>(result.messages.size()));
        throw Error(ExitCode::bad_data, message + "pack the file again");
    }
    fmt::print("{}: {} images and {} captions match their digests ({})\n", path.string(), result.images,
               result.captions, rate);
}

}    // namespace blip
