// See prefetcher.h.
#include "blip/data/prefetcher.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace blip {

// The mutex guards all of it but what load writes.
struct Prefetcher::Slot {
    std::unique_ptr<Job> job;
    std::size_t parts = 0, claimed = 0, done = 0;
    std::size_t failed_part = SIZE_MAX;    // the lowest: the same error whatever the thread count
    std::exception_ptr failure;
};

Prefetcher::Prefetcher(std::function<std::unique_ptr<Job>()> next_job, int ahead, int threads)
    : next_job_(std::move(next_job)), ahead_(static_cast<std::size_t>(std::max(ahead, 1))) {
    try {
        for (int t = 0; t < std::max(threads, 1); ++t) threads_.emplace_back([this] { work(); });
    } catch (...) {
        stop();
        throw;
    }
}

Prefetcher::~Prefetcher() { stop(); }

void Prefetcher::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    work_changed_.notify_all();
    for (auto& thread : threads_) thread.join();
}

bool Prefetcher::front_is_done() const {
    return slots_.empty() ? ended_ : slots_.front()->done == slots_.front()->parts;
}

// One thread at a time (requesting), without the lock while the caller's code runs.
void Prefetcher::request_job(std::unique_lock<std::mutex>& lock) {
    requesting_ = true;
    lock.unlock();
    auto slot = std::make_shared<Slot>();
    try {
        slot->job = next_job_();
        if (slot->job) slot->parts = slot->job->parts();
    } catch (...) {
        slot->failure = std::current_exception();
    }
    lock.lock();
    requesting_ = false;
    ended_ = slot->failure || !slot->job;
    if (slot->failure || slot->job) slots_.push_back(std::move(slot));
    work_changed_.notify_all();
    job_finished_.notify_all();
}

void Prefetcher::work() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        const auto unclaimed =
            std::find_if(slots_.begin(), slots_.end(), [](const auto& slot) { return slot->claimed < slot->parts; });
        if (unclaimed == slots_.end()) {
            if (!requesting_ && !ended_ && slots_.size() < ahead_)
                request_job(lock);
            else
                work_changed_.wait(lock);
            continue;
        }
        const std::shared_ptr<Slot> slot = *unclaimed;
        const std::size_t part = slot->claimed++;
        lock.unlock();
        std::exception_ptr problem;
        try {
            slot->job->load(part);
        } catch (...) {
            problem = std::current_exception();
        }
        lock.lock();
        if (problem && part < slot->failed_part) {
            slot->failed_part = part;
            slot->failure = problem;
        }
        if (++slot->done == slot->parts) job_finished_.notify_all();
    }
}

std::unique_ptr<Prefetcher::Job> Prefetcher::next() {
    std::unique_lock lock(mutex_);
    if (failure_) std::rethrow_exception(failure_);
    job_finished_.wait(lock, [&] { return front_is_done(); });
    if (slots_.empty()) return nullptr;
    const std::shared_ptr<Slot> slot = std::move(slots_.front());
    slots_.pop_front();
    work_changed_.notify_all();
    if (slot->failure) {
        failure_ = slot->failure;
        ended_ = true;
        slots_.clear();
        std::rethrow_exception(failure_);
    }
    return std::move(slot->job);
}

bool Prefetcher::ready() const {
    const std::lock_guard lock(mutex_);
    return failure_ || front_is_done();
}

}    // namespace blip
