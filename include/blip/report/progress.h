// One progress line: rewritten in place on a terminal, a plain log line now and then otherwise.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace blip {

class Progress {
  public:
    // total: what the ETA counts towards. enabled = false (other ranks, --no-progress): does nothing.
    Progress(std::string what, std::int64_t total, bool enabled);
    ~Progress();    // clears the line
    // done: units finished of total; text: what to show between count and ETA.
    void update(std::int64_t done, const std::string& text);
    void clear();

  private:
    std::string what_;
    std::int64_t total_;
    std::int64_t first_done_ = -1;
    bool enabled_, terminal_;
    std::chrono::steady_clock::time_point start_, last_;
};

// "2 h 05 min", "3 min 12 s", "9 s"
std::string format_duration(double seconds);
// "1.5 GiB"
std::string format_bytes(double bytes);
// Resident memory of this process now, and its peak, in bytes.
std::uint64_t resident_bytes();
std::uint64_t peak_resident_bytes();

}    // namespace blip
