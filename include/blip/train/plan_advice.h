// Whether a run can learn anything at all: told before it begins. Called by the train verb.
#pragma once

#include <cstdint>
#include <string>

#include "blip/options/options.h"

namespace blip {

// Added up over all steps, the learning rates: about how far AdamW moves a weight at most, since a step of it is about
// as long as the rate (Kingma & Ba 2015, sec. 2.1). steps: of an epoch.
double learning_reach(const TrainOptions& train, const OptimOptions& optim, std::int64_t steps);

// "21 steps in all at 1e-05: too few to learn ...", with values that would do; empty where there are enough, or where
// --max-steps asks for few. captions: of the training split, at least global_batch.
std::string too_few_steps(const TrainOptions& train, const OptimOptions& optim, std::int64_t captions);

}    // namespace blip
