// See samples_of_step.h.
#include "src/train/samples_of_step.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "blip/base/error.h"
#include "blip/comm/run_together.h"

namespace blip {

void log_sample_rows(const StepOutcome& step, RunLog* log, HostMessages& communicator) {
    nlohmann::json rows = nlohmann::json::array();
    for (const nlohmann::json& of_rank : all_gather_json(communicator, step.samples, "caption rows of a step"))
        rows.insert(rows.end(), of_rank.begin(), of_rank.end());
    if (log == nullptr) return;
    log->event("samples", {{"step", step.record.step}, {"epoch", step.record.epoch}, {"rows", rows}});
}

void fail_non_finite(const StepOutcome& step, const SplitTables& split, const std::filesystem::path& output,
                     HostMessages& communicator) {
    std::vector<std::string> ids;
    for (std::int64_t caption : step.samples) {
        const std::int64_t image = split.image_index_C[static_cast<std::size_t>(caption)];
        ids.push_back(fmt::format("image {} (caption row {})", name_image(split, image), caption));
    }
    const bool own_loss = !std::isfinite(step.own.loss);
    const auto all = all_gather_json(communicator, {own_loss, fmt::format("{}", fmt::join(ids, ", "))},
                                     "samples of the step that is not finite");
    // A reduced gradient holds all ranks' samples: any of them may be to blame, unless a loss tells.
    std::string culprits, everyone;
    for (std::size_t rank = 0; rank < all.size(); ++rank) {
        const std::string line = fmt::format("\n  rank {}: {}", rank, all[rank][1].get<std::string>());
        if (all[rank][0].get<bool>()) culprits += line;
        everyone += line;
    }
    throw AgreedError(ExitCode::internal,
                      "{} of step {} is not finite; the last good state is the newest checkpoint in {}; a smaller "
                      "--init-lr may help. Its samples by rank:{}",
                      culprits.empty() ? "a gradient" : "the loss", step.record.step, (output / "checkpoints").string(),
                      culprits.empty() ? everyone : culprits);
}

}    // namespace blip
