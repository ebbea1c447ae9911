// out/log.jsonl: one JSON object a line, for programs. Rank 0 only. Kinds and members: jobs/log.md. Appended to and
// written line by line; the last record of a step counts. A full disk does not end a run: records wait in memory until
// there is room again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "blip/base/durable_file.h"

namespace blip {

// What one optimizer step did. Times in ms, of rank 0.
struct StepRecord {
    std::int64_t step = 0;    // 1 after the first
    int epoch = 0;
    std::int64_t step_in_epoch = 0;
    double loss = 0;
    double lr = 0;
    double gradient_norm = 0;
    std::int64_t tokens = 0;    // trained tokens of the global batch
    std::int64_t samples = 0;
    std::map<std::string, double> told{};    // what the objective tells beside its loss
    double data_ms = 0, forward_ms = 0, backward_ms = 0, reduce_ms = 0, update_ms = 0, step_ms = 0;
};

class RunLog {
  public:
    // Opens for appending, creates the directory. Errors: io naming the file. Later failures are warnings, one each
    // time it begins to fail.
    explicit RunLog(const std::filesystem::path& file);
    RunLog(const RunLog&) = delete;
    ~RunLog();    // says how many records were lost, if any
    void step(const StepRecord& record);
    // Any other record: kind and the members of an object, e.g. {{"path", "..."}}.
    void event(const std::string& kind, const nlohmann::json& members);

  private:
    void append(std::string line);
    void write_waiting();

    std::filesystem::path path_;
    FileDescriptor fd_;
    std::string waiting_;    // whole lines, the first maybe without what was written of it
    bool failing_ = false;
    std::int64_t dropped_ = 0;    // records for which even memory was not meant
};

}    // namespace blip
