// What people and their tools see of a run while it goes on: report.html, results.csv, TensorBoard's files, Prometheus'
// text. Used by the verb train on rank 0.
#pragma once

#include <atomic>
#include <memory>
#include <stop_token>
#include <thread>

#include "blip/data/packed/dataset.h"
#include "blip/options/options.h"

namespace blip {

// A thread that only takes time that nobody else wants. It reads OUTPUT/log.jsonl and the result files as they are
// written; what it cannot write is warned of once, and the run goes on.
class RunFollower {
  public:
    // options, dataset: must outlive it. Errors: io if --metrics-file cannot be written.
    RunFollower(const Options& options, const PackedDataset& dataset);
    ~RunFollower();    // the page of the last evaluations may be missing then
    // Shows all that the log has. After it nothing is written any more.
    void finish();

  private:
    struct Views;
    void follow(const std::stop_token& told_to_stop);

    std::unique_ptr<Views> views_;
    std::atomic<bool> finish_ = false;
    std::jthread thread_;
};

}    // namespace blip
