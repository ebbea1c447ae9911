// Log lines for people: rank 0 speaks on stderr, every rank may warn. (Records for programs: report/run_log.h.)
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <utility>

namespace blip {

// Once at start: silences info lines on ranks other than 0. Lines look like "12:34:56 text", warnings like
// "12:34:56 rank 3 warning: text" (no rank on rank 0, which speaks for the job), errors like "12:34:56 error: text".
void init_log(int rank);
// Adds a plain text log file (rank 0), appended to, flushed on each line.
void add_log_file(const std::filesystem::path& path);

void log_info_text(const std::string& text);       // rank 0 only
void log_warning_text(const std::string& text);    // any rank
void log_error_text(const std::string& text);      // any rank
void log_notice_text(const std::string& text);     // any rank, which the text names: what somebody asked it for
// While one lives, info lines are not printed; warnings and errors are. One at a time: for work whose own lines nobody
// asked for.
class QuietLog {
  public:
    QuietLog();
    ~QuietLog();
    QuietLog(const QuietLog&) = delete;
    QuietLog& operator=(const QuietLog&) = delete;
};

// Clears the terminal's progress line before a log line is printed; installed by report/progress.
void set_before_log_line(void (*hook)());

template <class... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
    log_info_text(fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
    log_warning_text(fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
    log_error_text(fmt::format(format, std::forward<Args>(args)...));
}

}    // namespace blip
