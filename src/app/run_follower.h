// What people and their tools see of a run while it goes on: report.html, results.csv, TensorBoard's files, Prometheus'
// text. Used by the verb train on rank 0.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "blip/data/packed/dataset.h"
#include "blip/options/options.h"

namespace blip {

// A thread that only takes time that nobody else wants. It reads OUTPUT/log.jsonl and the result files as they are
// written; what it cannot write is warned of once, and the run goes on.
class RunFollower {
  public:
    // dataset: must outlive it. Errors: io if --metrics-file cannot be written.
    RunFollower(const Options& options, const PackedDataset& dataset);
    ~RunFollower();    // the page of the last evaluations may be missing then
    // Shows all that the log has. After it nothing is written any more.
    void finish();

  private:
    struct Views;
    void follow();

    std::unique_ptr<Views> views_;
    std::mutex mutex_;
    std::condition_variable told_;
    bool end_ = false, finish_ = false;
    std::thread thread_;
};

}    // namespace blip
