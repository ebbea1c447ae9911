// See chrome_trace.h. Files are read line by line, twice: they may be larger than memory.
#include "blip/report/chrome_trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/json.h"
#include "src/report/json_lines.h"

namespace blip {

using nlohmann::json;

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files_of(const fs::path& folder) {
    std::vector<fs::path> files;
    std::error_code ignored;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder / "trace", ignored)) {
        const std::string name = entry.path().filename().string();
        if (name.starts_with("rank_") && name.ends_with(".jsonl")) files.push_back(entry.path());
    }
    if (files.empty())
        throw Error(ExitCode::missing_input, "{}: no trace/rank_*.jsonl there: give the --output of a run with --trace",
                    folder.string());
    std::ranges::sort(files);
    return files;
}

// Whether a member of an object is a whole number in [low, high].
bool whole(const json& record, const char* name, std::int64_t low,
           std::int64_t high = std::numeric_limits<std::int64_t>::max()) {
    const auto found = record.find(name);
    if (found == record.end() || !found->is_number_integer()) return false;
    const auto value = found->get<std::int64_t>();
    return value >= low && value <= high;
}

bool is_start(const json& record) {
    return record.value("kind", json()) == "start" && whole(record, "start_ns", 0) && whole(record, "met_ns", 0) &&
           whole(record, "rank", 0, 1 << 24) && whole(record, "pid", 0) && record.contains("host") &&
           record["host"].is_string();
}

bool is_span(const json& record) {
    const json kind = record.value("kind", json());
    return (kind == "phase" || kind == "wait") && record.contains("name") && record["name"].is_string() &&
           whole(record, "begin_ns", 0) && whole(record, "ns", 0) && whole(record, "epoch", -1) &&
           whole(record, "step", -1);
}

// Calls take with each record; returns how many lines are none. Spans before the first start are of nobody.
std::int64_t read_records(const fs::path& file, const auto& take) {
    std::int64_t unreadable = 0;
    bool started = false;
    read_lines(file, [&](const json& record) {
        const bool start = record.is_object() && is_start(record);
        started = started || start;
        if (start || (started && record.is_object() && is_span(record)))
            take(record, start);
        else
            ++unreadable;
    });
    return unreadable;
}

// "1234.567" of nanoseconds
std::string microseconds(std::int64_t ns) { return fmt::format("{}.{:03}", ns / 1000, ns % 1000); }

class Events {
  public:
    explicit Events(const fs::path& file) : file_(file) {
        file_.write("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[");
    }

    void add(const std::string& event) {
        waiting_ += std::exchange(first_, false) ? "\n" : ",\n";
        waiting_ += event;
        if (waiting_.size() >= 1 << 20) flush();
    }
    void finish(const std::string& members) {
        waiting_ += "\n]," + members + "}\n";
        flush();
        file_.commit();
    }

  private:
    void flush() {
        file_.write(waiting_);
        waiting_.clear();
    }
    DurableFile file_;
    std::string waiting_;
    bool first_ = true;
};

// The name of a process or a thread.
std::string name_event(const char* kind, std::int64_t rank, int thread, const std::string& name) {
    return to_line(
        json{{"ph", "M"}, {"name", kind}, {"pid", rank}, {"tid", thread}, {"ts", 0}, {"args", {{"name", name}}}});
}

}    // namespace

TraceSummary write_chrome_trace(const fs::path& folder, const fs::path& file) {
    const std::vector<fs::path> files = files_of(folder);
    TraceSummary summary;
    std::int64_t origin_ns = std::numeric_limits<std::int64_t>::max();
    std::map<std::int64_t, std::pair<std::int64_t, std::int64_t>> met;    // by start: first and last by their clocks
    for (const fs::path& one : files)
        read_records(one, [&](const json& record, bool start) {
            if (!start) {
                origin_ns = std::min(origin_ns, record["begin_ns"].get<std::int64_t>());
                return;
            }
            const auto ns = record["met_ns"].get<std::int64_t>();
            auto& [first, last] = met.try_emplace(record["start_ns"].get<std::int64_t>(), ns, ns).first->second;
            first = std::min(first, ns), last = std::max(last, ns);
        });
    summary.starts = static_cast<int>(met.size());
    for (const auto& [start, times] : met)
        summary.clocks_ms = std::max(summary.clocks_ms, static_cast<double>(times.second - times.first) * 1e-6);

    Events events(file);
    std::map<std::int64_t, int> threads;    // by rank: starts so far
    for (const fs::path& one : files) {
        std::int64_t rank = 0;
        int thread = 0;
        summary.unreadable += read_records(one, [&](const json& record, bool start) {
            if (start) {
                rank = record["rank"].get<std::int64_t>();
                thread = threads[rank]++;
                if (thread == 0) events.add(name_event("process_name", rank, 0, fmt::format("rank {}", rank)));
                const auto number = std::distance(met.begin(), met.find(record["start_ns"].get<std::int64_t>())) + 1;
                events.add(name_event("thread_name", rank, thread,
                                      fmt::format("start {}: {}, process {}", number, record["host"].get<std::string>(),
                                                  record["pid"].get<std::int64_t>())));
                return;
            }
            ++summary.spans;
            const auto begin_ns = record["begin_ns"].get<std::int64_t>(), ns = record["ns"].get<std::int64_t>();
            events.add(fmt::format(
                "{{\"ph\":\"X\",\"name\":{},\"cat\":{},\"ts\":{},\"dur\":{},\"pid\":{},\"tid\":{},"
                "\"args\":{{\"epoch\":{},\"step\":{}}}}}",
                to_line(record["name"]), to_line(record["kind"]), microseconds(begin_ns - origin_ns), microseconds(ns),
                rank, thread, record["epoch"].get<std::int64_t>(), record["step"].get<std::int64_t>()));
        });
    }
    summary.ranks = static_cast<int>(threads.size());
    const std::int64_t since_1970_ns = summary.spans > 0 ? origin_ns : 0;
    events.finish(fmt::format("\"otherData\":{{\"ts_0_ns_since_1970\":\"{}\",\"clocks_differ_by_ms\":\"{:.3f}\"}}",
                              since_1970_ns, summary.clocks_ms));
    return summary;
}

}    // namespace blip
