// What a rank does when (train --trace): OUTPUT/trace/rank_R.jsonl has a line for each phase of its main thread and for
// each wait within one, as they end. On a GPU, too, these are the host's times: it queues what the GPU computes later.
// Created by the trainer; chrome_trace.h makes a timeline of the files.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "blip/base/durable_file.h"
#include "blip/base/phase.h"

namespace blip {

// By this host's clock, ns since 1970.
std::int64_t wall_now_ns();

// The first line of what a start of a run appends. Times in ns since 1970, by the rank's own clock.
struct TraceStart {
    std::int64_t start_ns = 0;    // rank 0's clock when it began: one number for all ranks of a start
    std::int64_t met_ns = 0;      // when all ranks had met: the same moment on each, within the time of a message
    int rank = 0, ranks = 1;
};

// Lines:
//   {"kind":"start","start_ns":,"met_ns":,"rank":,"ranks":,"host":,"pid":}
//   {"kind":"phase","name":"forward","begin_ns":,"ns":,"epoch":,"step":}    kind "wait": name says for what
// epoch (from 0) and step (from 1) are those under way when it began, -1 before the first; begin_ns is since 1970. The
// clock is asked once a start, so that a span never ends before another that it holds.
class RankTrace : public PhaseObserver {
  public:
    // Appends to file; observes the main thread, which calls this, until it goes. A file that cannot be written is told
    // in a warning, and nothing is recorded. On programs with CUDA each span is a range for its profilers (NVTX), too.
    RankTrace(std::filesystem::path file, const TraceStart& start);
    RankTrace(const RankTrace&) = delete;
    ~RankTrace() override;    // ends the phase under way, and writes what is left

    void entered(Phase phase, std::int64_t now_ns) noexcept override;
    void wait_begun(std::string_view operation, std::int64_t now_ns) noexcept override;
    void wait_ended(std::int64_t now_ns) noexcept override;

  private:
    struct Span {
        std::int64_t begin_ns = 0, end_ns = 0, step = -1;    // steady clock; steps done
        std::int32_t epoch = -1;
        Phase phase{};
        std::array<char, PhaseSlot::kOperationBytes> operation{};    // what is waited for; empty: a phase
    };
    static Span begin_span(Phase phase, std::int64_t now_ns);
    void keep(Span span, std::int64_t now_ns) noexcept;
    void follow(const std::stop_token& told_to_end);
    void write(const std::string& lines);

    std::filesystem::path path_;
    FileDescriptor fd_;
    std::int64_t to_wall_ns_;    // wall clock less steady clock
    std::optional<Span> phase_, wait_;

    std::mutex mutex_;    // of what follows
    std::vector<Span> ended_;
    std::int64_t lost_ = 0;    // for which even memory was not meant: the disk took nothing for long
    bool failed_ = false;
    std::jthread thread_;
};

}    // namespace blip
