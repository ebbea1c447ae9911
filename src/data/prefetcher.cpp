// See prefetcher.h.
#include "blip/data/prefetcher.h"

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace blip {

namespace {

// A job in the making. The mutex guards all of it but what load writes.
struct Slot {
    std::unique_ptr<Prefetcher::Job> job;
    std::size_t parts = 0, claimed = 0, done = 0;
    std::size_t failed_part = SIZE_MAX;    // the lowest: the same error whatever the thread count
    std::exception_ptr failure;
};

}    // namespace

struct Prefetcher::Impl {
    std::function<std::unique_ptr<Job>()> next_job;
    std::size_t ahead;

    mutable std::mutex mutex;
    std::condition_variable work_changed, job_finished;
    std::deque<std::shared_ptr<Slot>> slots;
    bool requesting = false, ended = false, stopping = false;
    std::exception_ptr failure;    // thrown once, thrown always
    std::vector<std::thread> threads;

    Impl(std::function<std::unique_ptr<Job>()> next, int jobs)
        : next_job(std::move(next)), ahead(static_cast<std::size_t>(std::max(jobs, 1))) {}

    // The front job is complete, or none will come. With the lock held.
    bool front_is_done() const { return slots.empty() ? ended : slots.front()->done == slots.front()->parts; }
    void request_job(std::unique_lock<std::mutex>& lock);
    void work();
    void stop() {
        {
            const std::lock_guard lock(mutex);
            stopping = true;
        }
        work_changed.notify_all();
        for (auto& thread : threads) thread.join();
        threads.clear();
    }
};

// One thread at a time (requesting), without the lock while the caller's code runs.
void Prefetcher::Impl::request_job(std::unique_lock<std::mutex>& lock) {
    requesting = true;
    lock.unlock();
    auto slot = std::make_shared<Slot>();
    try {
        slot->job = next_job();
        if (slot->job) slot->parts = slot->job->parts();
    } catch (...) {
        slot->failure = std::current_exception();
    }
    lock.lock();
    requesting = false;
    ended = slot->failure || !slot->job;
    if (slot->failure || slot->job) slots.push_back(std::move(slot));
    work_changed.notify_all();
    job_finished.notify_all();
}

void Prefetcher::Impl::work() {
    std::unique_lock lock(mutex);
    while (!stopping) {
        const auto unclaimed =
            std::find_if(slots.begin(), slots.end(), [](const auto& slot) { return slot->claimed < slot->parts; });
        if (unclaimed == slots.end()) {
            if (!requesting && !ended && slots.size() < ahead)
                request_job(lock);
            else
                work_changed.wait(lock);
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
        if (++slot->done == slot->parts) job_finished.notify_all();
    }
}

Prefetcher::Prefetcher(std::function<std::unique_ptr<Job>()> next_job, int ahead, int threads)
    : impl_(std::make_unique<Impl>(std::move(next_job), ahead)) {
    try {
        for (int t = 0; t < std::max(threads, 1); ++t) impl_->threads.emplace_back([this] { impl_->work(); });
    } catch (...) {
        impl_->stop();
        throw;
    }
}

Prefetcher::~Prefetcher() { impl_->stop(); }

std::unique_ptr<Prefetcher::Job> Prefetcher::next() {
    std::unique_lock lock(impl_->mutex);
    if (impl_->failure) std::rethrow_exception(impl_->failure);
    impl_->job_finished.wait(lock, [&] { return impl_->front_is_done(); });
    if (impl_->slots.empty()) return nullptr;
    const std::shared_ptr<Slot> slot = std::move(impl_->slots.front());
    impl_->slots.pop_front();
    impl_->work_changed.notify_all();
    if (slot->failure) {
        impl_->failure = slot->failure;
        impl_->ended = true;
        impl_->slots.clear();
        std::rethrow_exception(impl_->failure);
    }
    return std::move(slot->job);
}

bool Prefetcher::ready() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->failure || impl_->front_is_done();
}

}    // namespace blip
