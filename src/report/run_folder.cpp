// See run_folder.h.
#include "blip/report/run_folder.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "src/report/json_lines.h"

namespace blip {

using nlohmann::json;

namespace {

std::int64_t step_of(const json& record) { return record.value("step", std::int64_t{-1}); }

// Steps are written in order, so that what is dropped or replaced stands at the end.
void drop_steps_after(std::vector<json>& steps, std::int64_t last) {
    while (!steps.empty() && step_of(steps.back()) > last) steps.pop_back();
}

void add_record(RunRecords& records, json record) {
    const std::string kind = record.value("kind", "");
    if (kind == "step") {
        drop_steps_after(records.steps, step_of(record) - 1);
        records.steps.push_back(std::move(record));
        return;
    }
    // What had been done behind the checkpoint that a run resumes from was lost.
    if (kind == "run" || kind == "resume") drop_steps_after(records.steps, step_of(record));
    if (kind == "run") {    // with --fresh it is another run, but for what was noted of its program just before
        const bool noted = !records.events.empty() && records.events.back().value("kind", "") == "build";
        records.events.erase(records.events.begin(), records.events.end() - (noted ? 1 : 0));
    }
    records.events.push_back(std::move(record));
}

bool is_record(const json& record) {
    const auto is = [&](const char* name, auto test) {
        const auto found = record.find(name);
        return found != record.end() && test(*found);
    };
    return record.is_object() && is("kind", [](const json& value) { return value.is_string(); }) &&
           (!record.contains("step") || is("step", [](const json& value) { return value.is_number_integer(); }));
}

}    // namespace

RunRecords read_run(const std::filesystem::path& folder) {
    const std::filesystem::path file = folder / "log.jsonl";
    if (file_type_of(file) != std::filesystem::file_type::regular)
        throw Error(ExitCode::missing_input, "{}: no log.jsonl there: give the folder that was --output of a run",
                    folder.string());
    RunRecords records;
    read_lines(file, [&](json record) {
        if (is_record(record))
            add_record(records, std::move(record));
        else
            ++records.unreadable;
    });
    return records;
}

const json* newest(const RunRecords& records, std::string_view kind) {
    const auto found = std::find_if(records.events.rbegin(), records.events.rend(),
                                    [&](const json& event) { return event.value("kind", "") == kind; });
    return found == records.events.rend() ? nullptr : &*found;
}

const json* newest_start(const RunRecords& records) {
    const json* resumed = newest(records, "resume");
    return resumed != nullptr ? resumed : newest(records, "run");
}

const json* end_of_run(const RunRecords& records) {
    const json *start = newest_start(records), *stop = newest(records, "stop");
    return stop != nullptr && (start == nullptr || stop > start) ? stop : nullptr;
}

double number_of(const json& record, const char* name) {
    const auto found = record.find(name);
    return found != record.end() && found->is_number() ? found->get<double>() : std::nan("");
}

std::string text_of(const json& record, const char* name) {
    const auto found = record.find(name);
    return found != record.end() && found->is_string() ? found->get<std::string>() : "";
}

json object_of(const json& record, const char* name) {
    const auto found = record.find(name);
    return found != record.end() && found->is_object() ? *found : json::object();
}

std::map<std::string, double> numbers_of(const json& record, const char* name) {
    std::map<std::string, double> numbers;
    const json object = object_of(record, name);
    for (const auto& [member, value] : object.items())
        if (value.is_number()) numbers[member] = value;
    return numbers;
}

double time_of(const json& record) {
    std::tm parts{};
    return strptime(record.value("time", "").c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts) == nullptr
               ? 0
               : static_cast<double>(timegm(&parts));
}

std::string key_of_result(const json& row) {
    const auto id = row.find("image_id");
    if (id == row.end()) return "";
    return id->is_string() ? id->get<std::string>() : id->dump();
}

std::vector<json> LogTail::poll() {
    std::vector<json> records;
    std::ifstream file(file_, std::ios::binary);
    if (!file.seekg(read_bytes_)) return records;
    begun_.append(std::istreambuf_iterator<char>(file), {});
    if (file.bad()) throw Error(ExitCode::io, "{}: cannot be read: {}", file_.string(), std::strerror(errno));
    read_bytes_ = std::max<std::int64_t>(file.tellg(), read_bytes_);
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = begun_.find('\n', begin)) != std::string::npos; begin = end + 1) {
        json record = json::parse(begun_.begin() + static_cast<std::ptrdiff_t>(begin),
                                  begun_.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
        if (is_record(record)) records.push_back(std::move(record));
    }
    begun_.erase(0, begin);
    return records;
}

}    // namespace blip
