// Progress of long work as one line for people, and the formats of its numbers.
#include "blip/report/progress.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

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

Progress::Progress(std::string what, std::int64_t total, bool enabled, double log_every_s, bool ends)
    : what_(std::move(what)),
      total_(total),
      enabled_(enabled),
      terminal_(enabled && on_terminal()),
      log_every_s_(log_every_s),
      ends_(ends) {
    if (log_every_s_ == 0) log_every_s_ = terminal_ ? 300 : 30;
}

Progress::~Progress() { clear(); }

std::vector<std::string> Progress::complete(std::int64_t done, std::vector<std::string> fields,
                                            Clock::time_point now) const {
    if (fields.empty())
        fields = {fmt::format("{} {}/{}", what_, done, total_) + kBetweenFields + format_percent(done, total_)};
    // the rate counts from the first update: what came before it (start-up, a resumed part) says nothing about the rest
    const double elapsed_s = seconds_between(start_, now);
    if (done < total_ && done > first_done_ && elapsed_s > 0)
        fields.insert(fields.begin() + 1, "ETA " + format_duration(elapsed_s / static_cast<double>(done - first_done_) *
                                                                   static_cast<double>(total_ - done)));
    return fields;
}

void Progress::update(std::int64_t done, std::vector<std::string> fields) {
    if (!enabled_) return;
    const auto now = Clock::now();
    const bool first = first_done_ < 0, last = done >= total_;
    if (first) {
        first_done_ = done;
        start_ = last_ = now;
    }
    fields = complete(done, std::move(fields), now);
    if (log_every_s_ > 0 && ((ends_ && (first || last)) || seconds_between(last_, now) >= log_every_s_)) {
        last_ = now;
        log_info_text(fmt::format("{}", fmt::join(fields, kBetweenFields)));
    }
    if (!terminal_ || last) return;
    // ten times a second is as much as anyone reads
    if (first || seconds_between(drawn_, now) >= 0.1) {
        drawn_ = now;
        draw_transient_line(fields);
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

std::string format_percent(std::int64_t part, std::int64_t whole) {
    return fmt::format("{} %", whole > 0 ? 100 * part / whole : 100);
}

std::string format_bytes(double bytes) {
    constexpr std::array units = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    std::size_t unit = 0;
    for (; bytes >= 1023.95 && unit + 1 < units.size(); ++unit) bytes /= 1024;
    return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, units[unit]);
}

}    // namespace blip
