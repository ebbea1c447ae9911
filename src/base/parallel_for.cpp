// See the header.
#include "blip/base/parallel_for.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace blip {

void parallel_for(std::int64_t count, int threads, const std::function<void(std::int64_t)>& work,
                  const std::function<void(std::int64_t)>& progress) {
    std::atomic<std::int64_t> next{0};
    std::atomic<bool> stop{false};
    std::mutex mutex;    // guards done and failure, and serialises progress
    std::int64_t done = 0;
    std::exception_ptr failure;
    const auto run = [&] {
        try {
            for (;;) {
                const std::int64_t i = next.fetch_add(1);
                if (i >= count || stop) return;
                work(i);
                const std::lock_guard lock(mutex);
                ++done;
                if (progress && !stop) progress(done);
            }
        } catch (...) {
            stop = true;
            const std::lock_guard lock(mutex);
            if (!failure) failure = std::current_exception();
        }
    };
    std::vector<std::thread> pool;
    try {
        for (std::int64_t t = 1; t < std::min<std::int64_t>(threads, count); ++t) pool.emplace_back(run);
    } catch (...) {
        // fewer threads than wanted still do the work
    }
    run();
    for (auto& thread : pool) thread.join();
    if (failure) std::rethrow_exception(failure);
}

int thread_count(int wanted) {
    return wanted > 0 ? wanted : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}    // namespace blip
