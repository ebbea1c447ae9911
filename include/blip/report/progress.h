// One progress line: rewritten in place on a terminal, a plain log line now and then otherwise.
// Used by the trainer, the evaluator and coco_pack; at most one at a time in a process.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace blip {

class Progress {
  public:
    // total: what the ETA counts towards. enabled = false (other ranks, --no-progress): does nothing.
    // A terminal is stderr, or that of the mpirun which started this process and passes its stderr on.
    // Log lines come every log_every_s seconds (0: 30 s, and 5 minutes where a terminal shows the line anyway; below 0:
    // none at all), and with `ends` at the first update and at the last (done == total).
    Progress(std::string what, std::int64_t total, bool enabled, double log_every_s = 0, bool ends = true);
    ~Progress();    // clears the line
    Progress(const Progress&) = delete;
    // done: units finished of total. fields: where it stands ({}: what, count and per cent), behind which the ETA
    // stands, then the rest by its worth: what a terminal has no room for is left out from the right.
    void update(std::int64_t done, std::vector<std::string> fields = {});
    void clear();

  private:
    std::vector<std::string> complete(std::int64_t done, std::vector<std::string> fields,
                                      std::chrono::steady_clock::time_point now) const;

    std::string what_;
    std::int64_t total_;
    std::int64_t first_done_ = -1;
    bool enabled_, terminal_ = false;
    double log_every_s_;
    bool ends_;
    // of the first update, of the last log line, of the last drawing on the terminal
    std::chrono::steady_clock::time_point start_, last_, drawn_;
};

// "2 h 05 min", "3 min 12 s", "9 s"
std::string format_duration(double seconds);
// "14 %", rounded down
std::string format_percent(std::int64_t part, std::int64_t whole);
// "1.5 GiB"
std::string format_bytes(double bytes);

}    // namespace blip
