// See packed_references.h.
#include "src/app/score/packed_references.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "blip/base/error.h"
#include "blip/data/packed/dataset.h"

namespace blip {

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
        const std::size_t before = references.size();
        for (std::size_t i = 0; i < split.keys_I.size(); ++i)
            references.push_back({split.keys_I[i], {}, {}, split.files_I.empty() ? "" : split.files_I[i]});
        for (std::int64_t c = 0; c < split.caption_count(); ++c) {
            const auto image = static_cast<std::size_t>(split.image_index_C[static_cast<std::size_t>(c)]);
            references[before + image].captions.emplace_back(split.text(c));
        }
    }
    std::erase_if(references, [](const ImageReferences& image) { return image.captions.empty(); });
    if (references.empty())
        throw Error(ExitCode::bad_data, "{} holds no reference captions", options.references.string());
    return references;
}

}    // namespace blip
