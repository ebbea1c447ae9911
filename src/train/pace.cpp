// See pace.h.
#include "src/train/pace.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "blip/base/log.h"
#include "blip/comm/run_together.h"
#include "blip/device/matrix_peak.h"
#include "blip/report/progress.h"

namespace blip {

namespace {
using Clock = std::chrono::steady_clock;
// The first of them is not timed: it allocates, and reads its batches without having had a step's time to do it.
constexpr std::int64_t watched_steps = 10;
}    // namespace

Pace::Pace(std::int64_t first_step, std::int64_t last_step, bool measure_peak, ArenaPlacement placement,
           HostMessages& communicator)
    : first_step_(first_step), last_step_(last_step) {
    if (!measure_peak || last_step - first_step <= watched_steps) return;
    communicator.barrier("measuring the matrix peak together");
    const double own = matrix_peak(placement.device, placement.dtype, 1);
    for (const nlohmann::json& rank : all_gather_json(communicator, own, "matrix peak")) peak_ += rank.get<double>();
}

void Pace::step_done(std::int64_t step, const std::function<double()>& step_flops, std::int64_t captions, RunLog& log) {
    if (step == first_step_ + 1) start_ = Clock::now();
    if (step != first_step_ + watched_steps || step == last_step_) return;
    const double step_s = std::chrono::duration<double>(Clock::now() - start_).count() / (watched_steps - 1);
    const double left_s = step_s * static_cast<double>(last_step_ - step);
    nlohmann::json record{{"step", step}, {"step_s", step_s}, {"left_s", left_s}};
    std::string share;
    if (peak_ > 0) {
        const double flops = step_flops(), reached = flops / step_s / peak_;
        record.update({{"step_flops", flops}, {"peak_flops", peak_}, {"peak_share", reached}});
        share =
            fmt::format("; {:.0f} % of the matrix peak measured at start, {:.3g} TFLOP/s", 100 * reached, peak_ / 1e12);
    }
    log.event("pace", record);
    const std::time_t end = std::time(nullptr) + static_cast<std::time_t>(left_s);
    log_info(
        "{:.3g} s a step, {:.1f} pairs/s{}; the remaining {} steps end in {}, at {:%a %H:%M}, and evaluations come on "
        "top",
        step_s, static_cast<double>(captions) / step_s, share, last_step_ - step, format_duration(left_s),
        fmt::localtime(end));
}

}    // namespace blip
