// Log lines on stderr and in an optional file, by spdlog. Called by every layer that has something to tell a person.
#include "blip/base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>
#include <mutex>

#include "blip/base/error.h"
#include "blip/base/printable.h"

namespace blip {
namespace {

std::atomic<void (*)()> before_line{nullptr};

std::shared_ptr<spdlog::logger> make_logger(int rank) {
    auto logger = std::make_shared<spdlog::logger>("blip", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
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
        throw Error(ExitCode::io, fmt::format("cannot write the log file {}: {}", path.string(), failure.what()));
    }
}

void log_info_text(const std::string& text) { write_line(spdlog::level::info, text); }
void log_warning_text(const std::string& text) { write_line(spdlog::level::warn, text); }
void log_error_text(const std::string& text) { write_line(spdlog::level::err, text); }
void log_notice_text(const std::string& text) { write_line(spdlog::level::critical, text); }

void set_before_log_line(void (*hook)()) { before_line = hook; }

}    // namespace blip
