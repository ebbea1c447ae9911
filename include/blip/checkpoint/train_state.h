// Where a run stands, besides weights and moments: what a resumed run needs to go on as if nothing had happened.
#pragma once

#include <cstdint>
#include <string>

namespace blip {

struct TrainState {
    std::int64_t global_step = 0;      // optimizer steps done since the start
    int epoch = 0;                     // epoch that the next step belongs to
    std::int64_t step_in_epoch = 0;    // index of the next step within it
    std::uint64_t seed = 0;

    bool operator==(const TrainState&) const = default;
};

}    // namespace blip
