// Log lines on stderr and in an optional file, by spdlog. Called by every layer that has something to tell a person.
#include "blip/base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string_view>

#include "blip/base/error.h"
#include "blip/base/printable.h"

namespace blip {
namespace {

std::atomic<void (*)()> before_line{nullptr};

// Warnings and errors have one on a terminal, unless what no-color.org and bixense.com/clicolors ask for says
// otherwise.
spdlog::color_mode colours() {
    const char* none = std::getenv("NO_COLOR");
    const char* always = std::getenv("CLICOLOR_FORCE");
    if (none != nullptr && *none != '\0') return spdlog::color_mode::never;
    return always != nullptr && std::string_view(always) != "0" ? spdlog::color_mode::always
                                                                : spdlog::color_mode::automatic;
}

std::shared_ptr<spdlog::logger> make_logger(int rank) {
    auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>(colours());
    for (const auto plain : {spdlog::level::info, spdlog::level::critical}) sink->set_color(plain, "");
    sink->set_color(spdlog::level::warn, sink->yellow);
    sink->set_color(spdlog::level::err, sink->red);
    auto logger = std::make_shared<spdlog::logger>("blip", std::move(sink));
    logger->set_pattern("%H:%M:%S %^%v%$");
    logger->set_level(rank == 0 ? spdlog::level::info : spdlog::level::warn);
    logger->flush_on(spdlog::level::trace);
    return logger;
}

struct LogState {
    std::mutex mutex;
    std::shared_ptr<spdlog::logger> logger = make_logger(launcher_rank());
    int rank = launcher_rank();
};

LogState& state() {
    static LogState instance;
    return instance;
}

void write_line(spdlog::level::level_enum level, const std::string& text) {
    LogState& log = state();
    const std::lock_guard lock(log.mutex);
    if (!log.logger->should_log(level)) return;
    if (auto* hook = before_line.load()) hook();
    // Rank 0 speaks for the job; another rank's warning says whose it is. An error's text says so itself.
    std::string label;
    if (log.rank != 0 && level == spdlog::level::warn) label = fmt::format("rank {} ", log.rank);
    if (level == spdlog::level::warn) label += "warning: ";
    if (level == spdlog::level::err) label += "error: ";
    log.logger->log(level, "{}{}", label, printable_message(text));
}

}    // namespace

void init_log(int rank) {
    LogState& log = state();
    const std::lock_guard lock(log.mutex);
    log.rank = rank;
    log.logger = make_logger(rank);
}

void add_log_file(const std::filesystem::path& path) {
    LogState& log = state();
    const std::lock_guard lock(log.mutex);
    if (log.rank != 0) return;
    try {
        auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path.string());
        sink->set_pattern("%Y-%m-%d %H:%M:%S %v");
        log.logger->sinks().push_back(std::move(sink));
        // A full disk: said once, the run and its lines on stderr go on.
        log.logger->set_error_handler([path, told = false](const std::string& what) mutable {
            if (!told) fmt::print(stderr, "warning: {} lacks lines from here on: {}\n", path.string(), what);
            told = true;
        });
    } catch (const spdlog::spdlog_ex& failure) {
        throw Error(ExitCode::io, "cannot write the log file {}: {}", path.string(), failure.what());
    }
}

void log_info_text(const std::string& text) { write_line(spdlog::level::info, text); }
void log_warning_text(const std::string& text) { write_line(spdlog::level::warn, text); }
void log_error_text(const std::string& text) { write_line(spdlog::level::err, text); }
void log_notice_text(const std::string& text) { write_line(spdlog::level::critical, text); }

QuietLog::QuietLog() {
    LogState& log = state();
    const std::lock_guard lock(log.mutex);
    log.logger->set_level(spdlog::level::warn);
}

QuietLog::~QuietLog() {
    LogState& log = state();
    const std::lock_guard lock(log.mutex);
    if (log.rank == 0) log.logger->set_level(spdlog::level::info);
}

void set_before_log_line(void (*hook)()) { before_line = hook; }

}    // namespace blip
