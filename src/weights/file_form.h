// What a file is by its content, before anything in it is parsed. Used by WeightFile::open.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace blip {

enum class FileForm { safetensors, pytorch_zip, json };

// begin: the file's first bytes (1 KiB suffice), of file_bytes in all. Throws bad_data for whatever is no weight file,
// naming the file, saying what it is and what to do.
FileForm tell_form(std::string_view begin, std::uint64_t file_bytes, const std::filesystem::path& path);

}    // namespace blip
