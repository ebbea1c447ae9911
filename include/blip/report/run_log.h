// out/log.jsonl: one JSON object a line, for programs. Rank 0 only. Kinds: "run", "resume", "step", "checkpoint",
// "ranks" (how long each takes, once an epoch), "evaluation", "stop". Appended to and flushed line by line; the last
// record of a step counts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

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
    double data_ms = 0, forward_ms = 0, backward_ms = 0, reduce_ms = 0, update_ms = 0, step_ms = 0;
};

class RunLog {
  public:
    // Opens for appending, creates the directory. Errors: io naming the file.
    explicit RunLog(const std::filesystem::path& file);
    void step(const StepRecord& record);
    // Any other record: kind and the members of a JSON object given as text, e.g. {"path": "..."}.
    void event(const std::string& kind, const std::string& json_object);

  private:
    std::filesystem::path path_;
    std::ofstream stream_;
};

}    // namespace blip
