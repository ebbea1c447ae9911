// One progress line: rewritten in place on a terminal, a plain log line now and then otherwise.
// Used by the trainer, the evaluator and coco_pack; at most one at a time in a process.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace blip {

class Progress {
  public:
    // total: what the ETA counts towards. enabled = false (other ranks, --no-progress): does nothing.
    // A terminal is stderr, or that of the mpirun which started this process and passes its stderr on.
    // Log lines come at the first update, at the last (done == total), and every log_every_s seconds in between;
    // log_every_s = 0: 30 s, and 5 minutes where a terminal shows the line anyway; below 0: no log lines at all.
    Progress(std::string what, std::int64_t total, bool enabled, double log_every_s = 0);
    ~Progress();    // clears the line
    Progress(const Progress&) = delete;
    // done: units finished of total; text: what to show between count and ETA.
    void update(std::int64_t done, const std::string& text);
    void clear();

  private:
    std::string line(std::int64_t done, const std::string& text, std::chrono::steady_clock::time_point now) const;

    std::string what_;
    std::int64_t total_;
    std::int64_t first_done_ = -1;
    bool enabled_, terminal_ = false;
    double log_every_s_;
    // of the first update, of the last log line, of the last drawing on the terminal
    std::chrono::steady_clock::time_point start_, last_, drawn_;
};

// "2 h 05 min", "3 min 12 s", "9 s"
std::string format_duration(double seconds);
// "1.5 GiB"
std::string format_bytes(double bytes);

}    // namespace blip
