// Progress on stderr and the signals that stop a run. Used by coco_pack's phases.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace blip {

// Thrown by check_signal; main turns it into exit code 128 + signal, as a shell would see from an unhandled one.
struct Interrupted {
    int signal;
};

// SIGINT and SIGTERM set a flag instead of ending the process, so that temporary files are removed.
void catch_signals();
// Throws Interrupted once a signal came.
void check_signal();

// "packing 1200/5000 images, 340 images/s, 0:00:12 left": one line redrawn on a terminal, else a line every ten
// seconds.
class Progress {
  public:
    Progress(std::string label, std::int64_t total, std::string unit = "images");
    ~Progress();    // ends the terminal's line
    // From one thread at a time. Throws Interrupted.
    void update(std::int64_t done);
    // The rate over everything; clears the line.
    std::string finish();
    double seconds() const;

  private:
    void clear();

    std::string label_, unit_;
    std::int64_t total_, done_ = 0;
    bool terminal_, drawn_ = false;
    std::chrono::steady_clock::time_point start_, last_;
};

// "1.9 GB"
std::string human_bytes(std::uint64_t bytes);

}    // namespace blip
