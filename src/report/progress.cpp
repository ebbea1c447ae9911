// Progress of long work as one line for people, and the formats of its numbers.
#include "blip/report/progress.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "blip/base/log.h"
#include "src/report/terminal.h"

namespace blip {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_between(Clock::time_point from, Clock::time_point to) {
    return std::chrono::duration<double>(to - from).count();
}

}    // namespace

Progress::Progress(std::string what, std::int64_t total, bool enabled, double log_every_s)
    : what_(std::move(what)),
      total_(total),
      enabled_(enabled),
      terminal_(enabled && on_terminal()),
      log_every_s_(log_every_s) {
    if (log_every_s_ == 0) log_every_s_ = terminal_ ? 300 : 30;
}

Progress::~Progress() { clear(); }

std::string Progress::line(std::int64_t done, const std::string& text, Clock::time_point now) const {
    const double percent = total_ > 0 ? 100.0 * static_cast<double>(done) / static_cast<double>(total_) : 100;
    std::string line = fmt::format("{} {}/{} ({:.0f} %)", what_, done, total_, std::floor(percent));
    if (!text.empty()) line += "  " + text;
    // the rate counts from the first update: what came before it (start-up, a resumed part) says nothing about the rest
    const double elapsed_s = seconds_between(start_, now);
    if (done < total_ && done > first_done_ && elapsed_s > 0)
        line += "  ETA " + format_duration(elapsed_s / static_cast<double>(done - first_done_) *
                                           static_cast<double>(total_ - done));
    return line;
}

void Progress::update(std::int64_t done, const std::string& text) {
    if (!enabled_) return;
    const auto now = Clock::now();
    const bool first = first_done_ < 0, last = done >= total_;
    if (first) {
        first_done_ = done;
        start_ = now;
    }
    if (log_every_s_ > 0 && (first || last || seconds_between(last_, now) >= log_every_s_)) {
        last_ = now;
        log_info_text(line(done, text, now));
    }
    if (!terminal_ || last) return;
    // ten times a second is as much as anyone reads
    if (first || seconds_between(drawn_, now) >= 0.1) {
        drawn_ = now;
        draw_transient_line(line(done, text, now));
    }
}

void Progress::clear() {
    if (terminal_) clear_transient_line();
}

std::string format_duration(double seconds) {
    if (!(seconds >= 0) || seconds > 1e9) return "unknown";
    const auto whole = static_cast<std::int64_t>(std::llround(seconds));
    if (whole >= 3600) {
        const std::int64_t minutes = (whole + 30) / 60;
        return fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
    }
    if (whole >= 60) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
    return fmt::format("{} s", whole);
}

std::string format_bytes(double bytes) {
    constexpr std::array units = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    std::size_t unit = 0;
    for (; bytes >= 1023.95 && unit + 1 < units.size(); ++unit) bytes /= 1024;
    return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, units[unit]);
}

}    // namespace blip
