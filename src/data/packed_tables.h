// The tables of a packed file, read and checked. Used by packed_dataset.cpp.
#pragma once

#include <hdf5.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "blip/data/packed_dataset.h"

namespace blip {

[[noreturn]] void throw_damaged(const std::filesystem::path& path, const std::string& what);

// A uint8 dataset as text. what: the file, for messages. Throws bad_data.
std::string read_text_table(hid_t group, const char* name, std::uint64_t file_bytes, const std::string& what);

// Bytes that an image takes in the file. The row must exist.
std::uint64_t packed_image_bytes(const SplitTables& split, std::size_t image_row);

// All of a split but its pictures: every place, length and index lies where it may. Digests are not compared.
// file_bytes: size of the file. Throws bad_data naming file and element.
SplitTables read_split_tables(hid_t file, const std::string& name, PackedEncoding encoding, std::uint64_t file_bytes,
                              const std::filesystem::path& path);

}    // namespace blip
