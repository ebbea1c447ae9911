// See large_libraries.h.
#include "src/app/score/large_libraries.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <system_error>

#include "blip/base/error.h"
#include "blip/data/packed/dataset.h"
#include "blip/image/picture.h"
#include "blip/report/progress.h"
#include "src/app/run_captions.h"
#include "src/app/score/matching.h"
#include "src/app/startup.h"

namespace blip {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> pictures_below(const fs::path& folder) {
    std::vector<fs::path> files;
    try {
        for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder))
            if (has_picture_name(entry.path()) && !entry.is_directory()) files.push_back(entry.path());
    } catch (const fs::filesystem_error& error) {
        const bool absent =
            error.code() == std::errc::no_such_file_or_directory || error.code() == std::errc::not_a_directory;
        throw Error(absent ? ExitCode::missing_input : ExitCode::io, "--images {}: {}", folder.string(),
                    error.code().message());
    }
    std::sort(files.begin(), files.end());
    return files;
}

}    // namespace

std::vector<ImageReferences> read_packed_references(const ScoreOptions& options) {
    const PackedDataset dataset = PackedDataset::open(options.references);
    std::vector<std::string> there;
    for (const SplitTables& split : dataset.splits()) there.push_back(split.name);
    if (options.splits.empty() && there.size() > 1)
        throw Error(ExitCode::usage, "{} holds several splits: choose with --split {}", options.references.string(),
                    fmt::join(there, " or --split "));
    for (const std::string& name : options.splits)
        if (!dataset.has_split(name))
            throw Error(ExitCode::usage, "{} has no split '{}', only {}", options.references.string(), name,
                        fmt::join(there, ", "));
    std::vector<ImageReferences> references;
    for (const std::string& name : options.splits.empty() ? there : options.splits) {
        const SplitTables& split = dataset.split(name);
        for (std::size_t i = 0; i < split.keys_I.size(); ++i)
            references.push_back({split.keys_I[i],
                                  references_of(split, static_cast<std::int64_t>(i)),
                                  {},
                                  split.files_I.empty() ? "" : split.files_I[i]});
    }
    std::erase_if(references, [](const ImageReferences& image) { return image.captions.empty(); });
    if (references.empty())
        throw Error(ExitCode::bad_data, "{} holds no reference captions", options.references.string());
    return references;
}

ClipResults score_with_clip(const Options& options, const std::vector<ImageReferences>& references,
                            std::vector<std::vector<std::string>> runs) {
    const fs::path& folder = options.score.pictures;
    ClipInput input;
    input.pictures = match_pictures(references, pictures_below(folder), folder);
    for (const ImageReferences& image : references) input.references.push_back(image.captions);
    input.runs = std::move(runs);
    Options own = options;
    set_threads(own);
    std::optional<Progress> line;
    std::string shown;
    return clip_scores(options.score.clip, input, own.runtime.threads,
                       [&](const std::string& what, std::int64_t done, std::int64_t total) {
                           if (stop_requested())
                               throw Error(ExitCode::stopped, "stopped by a signal while CLIPScore was computed");
                           if (what != shown) line.emplace(shown = what, total, true, 0, /*ends=*/false);
                           line->update(done);
                       });
}

}    // namespace blip
