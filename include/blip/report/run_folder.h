// What a run's log.jsonl tells, for the verbs report and status: the steps that count and the other records, whatever
// was killed, resumed or torn between.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace blip {

struct RunRecords {
    // Records of kind "step" as run_log.h has them, ascending by "step", each once: of steps that were done again after
    // a resume, the last.
    std::vector<nlohmann::json> steps;
    std::vector<nlohmann::json> events;    // the others, in the order in which they were written
    std::size_t unreadable = 0;            // lines that are no record
};

// Reads FOLDER/log.jsonl. A last line without its end is one that is being written, and left out. Throws missing_input
// where there is no log, io.
RunRecords read_run(const std::filesystem::path& folder);
// The newest record of a kind, that of the newest start ("run" or "resume"), and how that start ended ("stop"); nullptr
// where there is none.
const nlohmann::json* newest(const RunRecords& records, std::string_view kind);
const nlohmann::json* newest_start(const RunRecords& records);
const nlohmann::json* end_of_run(const RunRecords& records);

// Of a record a member: NaN where that is no number, empty where it is no text, no object or has no numbers.
double number_of(const nlohmann::json& record, const char* name);
std::string text_of(const nlohmann::json& record, const char* name);
nlohmann::json object_of(const nlohmann::json& record, const char* name);
std::map<std::string, double> numbers_of(const nlohmann::json& record, const char* name);
// Its time in seconds since 1970, 0 where it has none.
double time_of(const nlohmann::json& record);
// Of a row of a result file: the picture's key.
std::string key_of_result(const nlohmann::json& row);

// A log.jsonl that is being written, read from its beginning as it grows.
class LogTail {
  public:
    explicit LogTail(std::filesystem::path file) : file_(std::move(file)) {}
    // The records that were added since the last call; none as long as there is no such file. Throws io.
    std::vector<nlohmann::json> poll();

  private:
    std::filesystem::path file_;
    std::int64_t read_bytes_ = 0;
    std::string begun_;    // a line whose end is not there yet
};

}    // namespace blip
