// For readers that take a path: a fuzzer's input as a file in TMPDIR, as HDF5's library opens none without a name. The
// path is the same each time.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/faults/fuzz/fuzz_support.h"

namespace blip::fuzz {

class InputFile {
  public:
    InputFile() = default;
    InputFile(const InputFile&) = delete;
    ~InputFile() { ::unlink(path_.c_str()); }

    const std::string& holding(const std::uint8_t* data, std::size_t size) {
        require(::ftruncate(fd_, 0) == 0);
        require(::pwrite(fd_, data, size, 0) == static_cast<ssize_t>(size));
        return path_;
    }

  private:
    std::string path_ = std::filesystem::temp_directory_path() / "input_XXXXXX";
    int fd_ = ::mkostemp(path_.data(), O_CLOEXEC);
};

}    // namespace blip::fuzz
