// What write(2) leaves to its callers. Used by durable files, lock files and tables of captions.
#pragma once

#include <string_view>

namespace blip {

// All of the bytes, over short writes and signals; false with errno, some of them written.
bool write_all(int fd, std::string_view bytes);

}    // namespace blip
