// For readers that take a path: a fuzzer's input as a file in memory. The path is the same each time.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "tests/faults/fuzz/fuzz_support.h"

namespace blip::fuzz {

class InputFile {
  public:
    const std::string& holding(const std::uint8_t* data, std::size_t size) {
        require(::ftruncate(fd_, 0) == 0);
        require(::pwrite(fd_, data, size, 0) == static_cast<ssize_t>(size));
        return path_;
    }

  private:
    int fd_ = ::memfd_create("input", MFD_CLOEXEC);
    std::string path_ = "/proc/self/fd/" + std::to_string(fd_);
};

}    // namespace blip::fuzz
