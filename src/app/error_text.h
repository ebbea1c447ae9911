// What a person is told about an exception that ends the program. Used by main.cpp and startup.cpp.
#pragma once

#include <string>
#include <utility>

#include "blip/base/error.h"

namespace blip {

inline constexpr const char* out_of_memory =
    "out of memory: use more ranks, a smaller --micro-batch or a smaller --model";

// Inside a catch block: message and exit code of whatever was thrown, with a remedy where memory ran out.
std::pair<std::string, ExitCode> describe_current_exception();

}    // namespace blip
