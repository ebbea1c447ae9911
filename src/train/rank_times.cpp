// See rank_times.h.
#include "src/train/rank_times.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "blip/base/error.h"
#include "blip/base/log.h"
#include "blip/comm/run_together.h"

namespace blip {

namespace {

constexpr double kMuchSlower = 1.3;
constexpr double kShareOfStep = 0.05;

// values: not empty
double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

template <class Value>
double median_of_others(const std::vector<RankTime>& times, std::size_t left_out, const Value& value) {
    std::vector<double> values;
    for (std::size_t rank = 0; rank < times.size(); ++rank)
        if (rank != left_out) values.push_back(value(times[rank]));
    return median(std::move(values));
}

}    // namespace

RankSpread compare_ranks(const std::vector<RankTime>& times, double micro_batches, double step_ms) {
    const auto total = [](const RankTime& time) { return time.total_ms(); };
    const auto shorter = [&](const RankTime& a, const RankTime& b) { return total(a) < total(b); };
    const auto slowest = std::max_element(times.begin(), times.end(), shorter);
    RankSpread spread;
    spread.fastest = static_cast<int>(std::min_element(times.begin(), times.end(), shorter) - times.begin());
    spread.slowest = static_cast<int>(slowest - times.begin());
    std::vector<double> totals;
    for (const RankTime& time : times) totals.push_back(total(time));
    spread.median_ms = median(totals);
    const auto index = static_cast<std::size_t>(spread.slowest);
    spread.others_median_ms = median_of_others(times, index, total);
    double most = -1;
    const auto look = [&](const char* phase, const auto& value) {
        const double lost = value(*slowest) - median_of_others(times, index, value);
        if (lost <= most) return;
        most = lost;
        spread.phase = phase;
    };
    look("reading batches", [](const RankTime& time) { return time.data_ms; });
    look("forward", [](const RankTime& time) { return time.forward_ms; });
    look("backward", [](const RankTime& time) { return time.backward_ms; });
    const double lost = slowest->total_ms() - spread.others_median_ms;
    spread.much_slower =
        slowest->total_ms() >= kMuchSlower * spread.others_median_ms && lost * micro_batches >= kShareOfStep * step_ms;
    return spread;
}

void RankTimes::add(const StepRecord& record, int micro_batches) {
    if (std::exchange(first_, false)) return;
    ++steps_;
    micro_batches_ += micro_batches;
    data_ms_ += record.data_ms;
    forward_ms_ += record.forward_ms;
    backward_ms_ += record.backward_ms;
    step_ms_ += record.step_ms;
}

void RankTimes::tell(int epoch, RunLog* log) {
    const int steps = std::exchange(steps_, 0);
    if (communicator_.size() == 1 || steps == 0) return;    // the same on all ranks
    const double micro_batches = std::max(1, std::exchange(micro_batches_, 0));
    const auto mean = [&](double& sum) { return std::exchange(sum, 0.0) / micro_batches; };
    const double data = mean(data_ms_), forward = mean(forward_ms_), backward = mean(backward_ms_);
    const double step_ms = std::exchange(step_ms_, 0.0) / steps;
    const auto all =
        all_gather_json(communicator_, {host_name(), data, forward, backward}, "times of the ranks in the epoch");
    if (communicator_.rank() != 0) return;
    std::vector<RankTime> times;
    nlohmann::json by_rank = nlohmann::json::array();
    for (const nlohmann::json& parts : all) {
        const RankTime time{parts[0], parts[1], parts[2], parts[3]};
        // the last ranks have no work where there are more of them than micro-batches: nothing to compare
        if (time.forward_ms + time.backward_ms > 0) times.push_back(time);
        by_rank.push_back({{"host", time.host},
                           {"data_ms", time.data_ms},
                           {"forward_ms", time.forward_ms},
                           {"backward_ms", time.backward_ms}});
    }
    if (times.size() < 2) return;
    const RankSpread spread = compare_ranks(times, micro_batches / steps, step_ms);
    const auto at = [&](int rank) -> const RankTime& { return times[static_cast<std::size_t>(rank)]; };
    const RankTime& slowest = at(spread.slowest);
    log_info(
        "epoch {}: own work of the ranks for a micro-batch: {:.1f} ms at least (rank {}), median {:.1f} ms, {:.1f} "
        "ms at most (rank {} on {})",
        epoch + 1, at(spread.fastest).total_ms(), spread.fastest, spread.median_ms, slowest.total_ms(), spread.slowest,
        slowest.host);
    if (spread.much_slower)
        log_warning(
            "rank {} on {} is slow: {:.1f} ms for a micro-batch where the others' median is {:.1f} ms, mostly {}; the "
            "other ranks wait for it in each step",
            spread.slowest, slowest.host, slowest.total_ms(), spread.others_median_ms, spread.phase);
    if (log == nullptr) return;
    log->event("ranks", {{"epoch", epoch},
                         {"steps", steps},
                         {"min_ms", at(spread.fastest).total_ms()},
                         {"median_ms", spread.median_ms},
                         {"max_ms", slowest.total_ms()},
                         {"slowest_rank", spread.slowest},
                         {"slowest_host", slowest.host},
                         {"slowest_phase", spread.phase},
                         {"much_slower", spread.much_slower},
                         {"ranks", by_rank}});
}

}    // namespace blip
