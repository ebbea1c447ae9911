// What programs and verbs without MPI share. Called by main.cpp and score_main.cpp.
#pragma once

#include <functional>

#include "blip/base/error.h"

namespace blip {

// Closed standard streams become /dev/null: a file opened later would receive the log's lines in their place.
void open_standard_streams();

// Runs a verb that needs no other process; an error becomes a line of the log. Returns the exit code.
int run_alone(const std::function<ExitCode()>& verb);

}    // namespace blip
