// SIGBUS from a mapped file, told as what it is. A disk that fails to give a page, and a file that somebody cuts short
// while it is mapped, show in no return value: the process gets a signal. Used by whatever maps files.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>

namespace blip {

// Keeps what mmap returned for bytes of the file, and unmaps it in the end. While it lives, a SIGBUS within it ends the
// process with exit code io and a line on stderr that names rank, host and file. The first one installs the handler.
// Beyond the first 1,024 at a time, files stay unnamed.
std::shared_ptr<const std::byte> own_mapping(void* memory, std::size_t bytes, const std::filesystem::path& file);

// Anew, where something has put its own handler in the place since. That one gets what lies in no named mapping.
void install_bus_error_handler();

}    // namespace blip
