// One function over a range of indices on several threads, for coco_pack, make_sample, the check of packed files and
// the metrics.
#pragma once

#include <cstdint>
#include <functional>

namespace blip {

// Calls work(i) for i in [0, count), each once, in about ascending order, from `threads` threads (at least 1). The
// first exception stops the others at their next index and is rethrown here. progress(done) is called after each index,
// by one thread at a time; it may throw too.
void parallel_for(std::int64_t count, int threads, const std::function<void(std::int64_t)>& work,
                  const std::function<void(std::int64_t)>& progress = {});

// 0 means one thread for each core that this process may use.
int thread_count(int wanted);

}    // namespace blip
