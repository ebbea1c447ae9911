// Jobs of many parts, done by threads ahead of who needs them, and handed out in order. Under the batches of training
// and evaluation (batch_loader.h), and under the pictures of the caption verb.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

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
    struct Slot;    // a job in the making

    // The front job is complete, or none will come. With the lock held.
    bool front_is_done() const;
    void request_job(std::unique_lock<std::mutex>& lock);
    void work();
    void stop();

    std::function<std::unique_ptr<Job>()> next_job_;
    std::size_t ahead_;

    mutable std::mutex mutex_;
    std::condition_variable work_changed_, job_finished_;
    std::deque<std::shared_ptr<Slot>> slots_;
    bool requesting_ = false, ended_ = false, stopping_ = false;
    std::exception_ptr failure_;    // thrown once, thrown always
    std::vector<std::thread> threads_;
};

}    // namespace blip
