// How long each rank takes for its own work, once an epoch: which one the others wait for. Used by the trainer.
#pragma once

#include <string>
#include <vector>

#include "blip/comm/communicator.h"
#include "blip/report/run_log.h"

namespace blip {

// One rank's own work for a micro-batch, in ms, averaged; without waiting for other ranks.
struct RankTime {
    std::string host;
    double data_ms = 0, forward_ms = 0, backward_ms = 0;

    double total_ms() const { return data_ms + forward_ms + backward_ms; }
};

// How the ranks compare. Ranks are indices of the list.
struct RankSpread {
    int fastest = 0, slowest = 0;
    double median_ms = 0;
    double others_median_ms = 0;    // of all but the slowest
    const char* phase = "";         // of the slowest: where it loses most against the others' median
    // The slowest takes 1.3 times as long as the others' median or more, and that is a twentieth of a step or more.
    bool much_slower = false;
};
// times: at least two. micro_batches, step_ms: of one step; what a rank loses, it loses in each of its micro-batches.
RankSpread compare_ranks(const std::vector<RankTime>& times, double micro_batches, double step_ms);

class RankTimes {
  public:
    explicit RankTimes(HostMessages& communicator) : communicator_(communicator) {}

    // A step of this rank. The first one is not counted: memory is had for the first time there.
    void add(const StepRecord& record, int micro_batches);
    // Tells how the ranks that have work compare in the steps since the last call and warns of one that is much slower;
    // a "ranks" record goes into log (rank 0; else nullptr). Nothing where that is one rank, or no step. Collective.
    void tell(int epoch, RunLog* log);

  private:
    HostMessages& communicator_;
    bool first_ = true;
    int steps_ = 0, micro_batches_ = 0;
    double data_ms_ = 0, forward_ms_ = 0, backward_ms_ = 0, step_ms_ = 0;
};

}    // namespace blip
