// The other ranks of this host while MPI has not started: from /proc, since nobody can be asked. Used by the watchdog.
#pragma once

#include <string>

namespace blip {

// "; stopped: rank 1 (pid 123)" of the processes that this one's launcher has started, or empty where none is.
std::string absent_siblings();

}    // namespace blip
