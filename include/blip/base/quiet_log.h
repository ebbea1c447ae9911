// Work whose own log lines nobody asked for. Used by the verb check, which trains for 20 steps.
#pragma once

namespace blip {

// While one lives, info lines are not printed; warnings and errors are. One at a time.
class QuietLog {
  public:
    QuietLog();
    ~QuietLog();
    QuietLog(const QuietLog&) = delete;
    QuietLog& operator=(const QuietLog&) = delete;
};

}    // namespace blip
