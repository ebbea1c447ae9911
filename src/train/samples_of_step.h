// Which samples a step trained on, asked of the ranks: for the run's log, and when the step went wrong. Used by the
// trainer.
#pragma once

#include <filesystem>

#include "blip/comm/communicator.h"
#include "blip/data/packed/dataset.h"
#include "blip/report/run_log.h"
#include "src/train/train_step.h"

namespace blip {

// A record "samples" with the caption rows of all ranks in rank order: from what the ranks' loaders gave them, not from
// what the plan says. log: nullptr on all ranks but 0. Collective.
void log_sample_rows(const StepOutcome& step, RunLog* log, HostMessages& communicator);

// Throws AgreedError (internal) that names the step and its images by rank. Collective: the decision told all ranks.
[[noreturn]] void fail_non_finite(const StepOutcome& step, const SplitTables& split,
                                  const std::filesystem::path& output, HostMessages& communicator);

}    // namespace blip
