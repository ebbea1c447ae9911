// Files of one JSON object a line that begin with "kind", appended to by one start of a run after the other. Internal
// to the report layer.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>

#include "blip/base/durable_file.h"

namespace blip {

// Opens for appending; creates the file and its folder. A killed run can leave half a record, which is dropped: what is
// appended must not be glued to it. Whatever else the file ends with stays, in a line of its own. what: "the run log".
// Throws io naming the file.
FileDescriptor append_to_lines(const std::filesystem::path& file, const char* what);
// Calls take with each line, a discarded value where it is no JSON. A last line without its end is left out: a run is
// writing it, or was killed there. Throws io naming the file.
void read_lines(const std::filesystem::path& file, const std::function<void(nlohmann::json)>& take);

}    // namespace blip
