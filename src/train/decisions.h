// The one small host message of a step: posted after step k, read after step k + 1, so that no rank waits for it.
// Used by the trainer.
#pragma once

#include <vector>

#include "blip/comm/communicator.h"

namespace blip {

// Sums over all ranks.
struct Decision {
    double loss = 0;                   // this rank's part of the global batch's loss
    double gradient_square_sum = 0;    // of this rank's reduced shards
    double non_finite = 0;             // ranks that saw an inf or NaN
    double stop = 0;                   // ranks that got a signal
    double save = 0;                   // a checkpoint is due by the clock (rank 0 alone says so)
    double written = 0;                // ranks whose part of the checkpoint in flight is on disk, or failed
    double gpus = 0;                   // it is time to tell how the GPUs are (rank 0 alone says so)
    std::vector<double> told{};        // the objective's sums, as many on all ranks
};

class Decisions {
  public:
    explicit Decisions(HostMessages& communicator) : communicator_(communicator) {}

    bool in_flight() const { return in_flight_; }
    void post(const Decision& own) {
        values_ = {own.loss, own.gradient_square_sum, own.non_finite, own.stop, own.save, own.written, own.gpus};
        values_.insert(values_.end(), own.told.begin(), own.told.end());
        work_ = communicator_.start_host_sum(values_, "decisions of a step");
        in_flight_ = true;
    }
    Decision read() {
        communicator_.wait(std::move(work_));
        in_flight_ = false;
        return {values_[0], values_[1], values_[2], values_[3],
                values_[4], values_[5], values_[6], {values_.begin() + 7, values_.end()}};
    }

  private:
    HostMessages& communicator_;
    std::vector<double> values_;
    WorkPtr work_;
    bool in_flight_ = false;
};

}    // namespace blip
