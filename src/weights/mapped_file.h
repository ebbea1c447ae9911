// A file as read-only memory whose pages can be given back while it is read. What cannot be read then ends the process
// (bus_error.h). Used by the readers of safetensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace blip {

class MappedFile {
  public:
    // Throws missing_input; io; bad_data if it is no regular file. An empty file is an empty span.
    static MappedFile open(const std::filesystem::path& path);

    std::span<const std::byte> bytes() const { return {memory_.get(), size_}; }
    // Keeps the mapping alive.
    const std::shared_ptr<const std::byte>& memory() const { return memory_; }
    // Gives back the memory of the pages that hold [begin, end) of the file, and their neighbours': read again, they
    // come back from the file.
    void drop_pages(std::uint64_t begin, std::uint64_t end) const;

  private:
    std::shared_ptr<const std::byte> memory_;
    std::size_t size_ = 0;
};

}    // namespace blip
