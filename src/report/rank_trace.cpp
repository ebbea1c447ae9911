// See rank_trace.h. The main thread only appends to a vector; a thread writes it once a second.
#include "blip/report/rank_trace.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <utility>

#include "blip/base/device_range.h"
#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/json.h"
#include "blip/base/log.h"
#include "src/report/json_lines.h"

namespace blip {
namespace {

constexpr auto between_writes = std::chrono::seconds(1);
constexpr std::size_t most_waiting = 1 << 20;    // spans: 96 MiB

}    // namespace

std::int64_t wall_now_ns() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

RankTrace::RankTrace(std::filesystem::path file, const TraceStart& start)
    : path_(std::move(file)), to_wall_ns_(wall_now_ns() - steady_now_ns()) {
    try {
        fd_ = append_to_lines(path_, "the trace");
    } catch (const Error& problem) {
        log_warning("--trace: {}; the run goes on without", problem.what());
        return;
    }
    const nlohmann::ordered_json first = {{"kind", "start"},    {"start_ns", start.start_ns}, {"met_ns", start.met_ns},
                                          {"rank", start.rank}, {"ranks", start.ranks},       {"host", host_name()},
                                          {"pid", ::getpid()}};
    write(to_line(first) + '\n');
    thread_ = std::jthread([this](const std::stop_token& told_to_end) { follow(told_to_end); });
    entered(static_cast<Phase>(own_slot().phase.load()), steady_now_ns());
    observe_phases(this);
}

RankTrace::~RankTrace() {
    if (!fd_) return;
    observe_phases(nullptr);
    wait_.reset();
    if (phase_) {
        end_device_range();
        keep(*phase_, steady_now_ns());
    }
    thread_.request_stop();
    thread_.join();
    if (lost_ > 0) log_warning("--trace: {} spans could not be written to {} and are lost", lost_, path_.string());
}

RankTrace::Span RankTrace::begin_span(Phase phase, std::int64_t now_ns) {
    Span span;
    span.begin_ns = now_ns;
    span.step = own_slot().step.load(std::memory_order_relaxed);
    span.epoch = own_slot().epoch.load(std::memory_order_relaxed);
    span.phase = phase;
    return span;
}

void RankTrace::keep(Span span, std::int64_t now_ns) noexcept {
    span.end_ns = now_ns;
    const std::lock_guard lock(mutex_);
    if (failed_) return;
    if (ended_.size() < most_waiting)
        ended_.push_back(span);
    else
        ++lost_;
}

void RankTrace::entered(Phase phase, std::int64_t now_ns) noexcept {
    if (phase_) {
        end_device_range();
        keep(*phase_, now_ns);
    }
    phase_ = begin_span(phase, now_ns);
    begin_device_range(phase_name(phase));
}

void RankTrace::wait_begun(std::string_view operation, std::int64_t now_ns) noexcept {
    wait_ = begin_span(phase_->phase, now_ns);
    std::copy_n(operation.begin(), std::min(operation.size(), wait_->operation.size() - 1), wait_->operation.begin());
    begin_device_range(wait_->operation.data());
}

void RankTrace::wait_ended(std::int64_t now_ns) noexcept {
    if (!wait_) return;    // it had begun before the trace did
    end_device_range();
    keep(*wait_, now_ns);
    wait_.reset();
}

void RankTrace::follow(const std::stop_token& told_to_end) {
    std::vector<Span> spans;
    std::condition_variable_any waits;
    for (bool end = false; !end;) {
        {
            std::unique_lock lock(mutex_);
            end = waits.wait_for(lock, told_to_end, between_writes, [&] { return told_to_end.stop_requested(); });
            std::swap(spans, ended_);
        }
        std::string lines;
        for (const Span& span : spans) {
            const bool waited = span.operation.front() != '\0';
            const std::string name = waited ? span.operation.data() : phase_name(span.phase);
            fmt::format_to(std::back_inserter(lines),
                           "{{\"kind\":\"{}\",\"name\":{},\"begin_ns\":{},\"ns\":{},\"epoch\":{},\"step\":{}}}\n",
                           waited ? "wait" : "phase", to_line(nlohmann::json(name)), span.begin_ns + to_wall_ns_,
                           span.end_ns - span.begin_ns, span.epoch, span.step < 0 ? -1 : span.step + 1);
        }
        spans.clear();
        write(lines);
    }
}

void RankTrace::write(const std::string& lines) {
    if (write_all(fd_.get(), lines)) return;
    const int problem = errno;
    {
        const std::lock_guard lock(mutex_);
        if (std::exchange(failed_, true)) return;
    }
    log_warning("--trace: cannot write to {}: {}; the run goes on without", path_.string(), std::strerror(problem));
}

}    // namespace blip
