// SIGBUS from a mapped file, told as what it is. A disk that fails to give a page, and a file that somebody cuts short
// while it is mapped, show in no return value: the process gets a signal. Used by whatever maps files.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>

namespace blip {

// While it lives, a SIGBUS within [begin, begin + bytes) ends the process with exit code io and a line on stderr that
// names rank, host and file. The first one installs the handler. Beyond the first 1,024 at a time, files stay unnamed.
class NamedMapping {
  public:
    NamedMapping(const void* begin, std::size_t bytes, const std::filesystem::path& file);
    ~NamedMapping();
    NamedMapping(const NamedMapping&) = delete;
    NamedMapping& operator=(const NamedMapping&) = delete;

  private:
    int slot_;
};

// Keeps what mmap returned for bytes of the file, named as long; unmaps it in the end.
std::shared_ptr<const std::byte> own_mapping(void* memory, std::size_t bytes, const std::filesystem::path& file);

// Anew, where something has put its own handler in the place since. That one gets what lies in no named mapping.
void install_bus_error_handler();

}    // namespace blip
