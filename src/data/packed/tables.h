// The tables of a packed file, read and checked. Used by packed_dataset.cpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "blip/data/hdf5_file.h"
#include "blip/data/packed/dataset.h"

namespace blip {

[[noreturn]] void throw_damaged(const std::filesystem::path& path, const std::string& what);

// A uint8 dataset as text. what: the file, for messages. Throws bad_data.
std::string read_text_table(hid_t group, const std::string& name, const std::string& what);

// Bytes that an image takes in the file. The row must exist.
std::uint64_t packed_image_bytes(const SplitTables& split, std::size_t image_row);

// All of a split but its pictures: every place, length and index lies where it may. Digests are not compared.
// The root has such a group. Throws bad_data naming file and element.
SplitTables read_split_tables(hid_t root, const std::string& name, PackedEncoding encoding, std::int64_t format_version,
                              const std::filesystem::path& path);

}    // namespace blip
