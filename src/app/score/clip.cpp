// See clip.h.
#include "src/app/score/clip.h"

#include <algorithm>
#include <optional>
#include <system_error>

#include "blip/base/error.h"
#include "blip/image/picture.h"
#include "blip/report/progress.h"
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
