// Appends JSON records to out/log.jsonl; used by the trainer and the app on rank 0.
#include "blip/report/run_log.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "blip/base/json.h"
#include "blip/base/log.h"
#include "blip/base/printable.h"
#include "src/report/json_lines.h"

namespace blip {
namespace {

using Json = nlohmann::ordered_json;    // members stay in the order in which they are written here

std::string utc_now() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&now, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

// NaN and infinities become null.
std::string line_of(const Json& record) { return printable_line(to_line(record)) + '\n'; }

constexpr std::size_t kMostWaitingBytes = 64 << 20;    // some 200,000 steps

}    // namespace

RunLog::RunLog(const std::filesystem::path& file) : path_(file), fd_(append_to_lines(file, "the run log")) {}

RunLog::~RunLog() {
    if (!waiting_.empty()) write_waiting();
    const std::int64_t lost = dropped_ + std::count(waiting_.begin(), waiting_.end(), '\n');
    if (lost > 0) log_warning("{}: the last {} records could not be written and are lost", path_.string(), lost);
}

void RunLog::append(std::string line) {
    if (waiting_.size() + line.size() > kMostWaitingBytes)
        ++dropped_;
    else
        waiting_ += line;
    write_waiting();
}

// What a full disk leaves half written is completed later: only this process appends.
void RunLog::write_waiting() {
    std::size_t done = 0;
    while (done < waiting_.size()) {
        const ssize_t count = ::write(fd_.get(), waiting_.data() + done, waiting_.size() - done);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) {
            if (!failing_)
                log_warning("cannot write to {}: {}; the run goes on, its records wait for room", path_.string(),
                            count == 0 ? "nothing is taken" : std::strerror(errno));
            break;
        }
        done += static_cast<std::size_t>(count);
    }
    waiting_.erase(0, done);
    failing_ = !waiting_.empty();
}

void RunLog::step(const StepRecord& record) {
    Json line = {{"kind", "step"},
                 {"time", utc_now()},
                 {"step", record.step},
                 {"epoch", record.epoch},
                 {"step_in_epoch", record.step_in_epoch},
                 {"loss", record.loss},
                 {"lr", record.lr},
                 {"gradient_norm", record.gradient_norm},
                 {"tokens", record.tokens},
                 {"samples", record.samples},
                 {"data_ms", record.data_ms},
                 {"forward_ms", record.forward_ms},
                 {"backward_ms", record.backward_ms},
                 {"reduce_ms", record.reduce_ms},
                 {"update_ms", record.update_ms},
                 {"step_ms", record.step_ms}};
    for (const auto& [name, value] : record.told) line[name] = value;
    append(line_of(line));
}

void RunLog::event(const std::string& kind, const nlohmann::json& members) {
    Json record = {{"kind", kind}, {"time", utc_now()}};
    record.update(Json(members));
    append(line_of(record));
}

}    // namespace blip
