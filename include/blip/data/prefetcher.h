// Jobs of many parts, done by threads ahead of who needs them, and handed out in order. Under the batches of training
// and evaluation (batch_loader.h), and under the pictures of the caption verb.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace blip {

class Prefetcher {
  public:
    class Job {
      public:
        virtual ~Job() = default;
        virtual std::size_t parts() const = 0;
        // Called once for each part, from any thread, also for several parts at once.
        virtual void load(std::size_t part) = 0;
    };

    // next_job: called from one thread at a time, in order; null ends the sequence. It must own what it captures.
    // ahead: jobs kept ready or in work. Parts are claimed in order, so that all threads help with the job that is
    // needed next. ahead, threads >= 1 (less counts as 1).
    Prefetcher(std::function<std::unique_ptr<Job>()> next_job, int ahead, int threads);
    ~Prefetcher();    // stops the threads, whatever is left

    // The next job in order, with all its parts; null after the last. Rethrows what next_job or load threw (of several
    // parts, the lowest one's), and then always.
    std::unique_ptr<Job> next();
    // Whether next() would return, or throw, without waiting.
    bool ready() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}    // namespace blip
