// TensorBoard's event files: records as TensorFlow frames them (length, CRC-32C, bytes, CRC-32C), each an Event message
// in protobuf's wire format, which is written here: a library of it would stand beside LibTorch's own. Field numbers
// are those of TensorFlow's event.proto and summary.proto and TensorBoard's hparams plugin.proto.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "blip/base/durable_file.h"

namespace blip {

// A file of events, appended to. Times are seconds since 1970. Errors: io naming the file.
class EventFile {
  public:
    // Creates FOLDER/events.out.tfevents.SECONDS.HOST.PID, and the folder. Files of earlier processes are removed: each
    // tells the run from its start.
    explicit EventFile(const std::filesystem::path& folder);

    // What readers have of steps from this one on no longer counts: the run went back to there.
    void forget_from(std::int64_t step, double time);
    void scalars(std::int64_t step, double time, const std::map<std::string, double>& values);
    // Markdown, as TensorBoard shows it.
    void text(std::int64_t step, double time, std::string_view tag, std::string_view text);
    // encoded: of a JPEG or PNG file.
    void picture(std::int64_t step, double time, std::string_view tag, int height, int width, std::string_view encoded);
    // What the run was started with: an object of texts, numbers and truth values.
    void hyperparameters(double time, const nlohmann::json& values);
    // Hands what was written since the last call to the file.
    void flush();

  private:
    void add_event(std::int64_t step, double time, unsigned field, std::string_view content);

    std::filesystem::path path_;
    FileDescriptor fd_;
    std::string waiting_;
};

}    // namespace blip
