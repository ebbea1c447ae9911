// Which build of this program and of LibTorch runs in this process: ranks compare them at start-up.
#pragma once

#include <string>

namespace blip {

// The linker's build ids (GNU notes) of the program and of libtorch_cpu, as hex digits; "unknown" where there is none.
std::string program_build_id();
std::string torch_build_id();

}    // namespace blip
