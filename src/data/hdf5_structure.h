// What an HDF5 file holds and where, for files that coco_pack wrote: read without HDF5's library, which trusts what it
// reads (release 1.10.8 crashes, or never ends, on one damaged structure in forty whose checksum fits). Only the forms
// that coco_pack writes are known; everything else is refused: links out of the file and external files among it.
// Called by packed_dataset.cpp and packed_tables.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

#include "blip/base/error.h"
#include "src/data/structure_bytes.h"

namespace blip {

// A contiguous dataset of little-endian whole numbers, wholly inside the file.
struct StoredTable {
    int element_bytes = 0;
    bool is_signed = false;
    std::vector<std::uint64_t> shape;
    std::uint64_t start_bytes = 0;    // place of its first byte in the file (0 if it has no elements)
    std::uint64_t size_bytes = 0;
};

struct StoredGroup {
    std::map<std::string, std::string> texts;        // attributes
    std::map<std::string, std::int64_t> integers;    // attributes
    std::map<std::string, StoredTable> tables;
    std::map<std::string, StoredGroup> groups;        // of the root only
    std::map<std::string, std::string> unreadable;    // name of an attribute or member -> what is wrong with it

    // An attribute. what: the file, for messages. Throws bad_data if it is absent or damaged.
    const std::string& text(const std::string& name, const std::string& what) const;
    std::int64_t integer(const std::string& name, const std::string& what) const;
    // A member with this rank and these elements. Throws bad_data naming it.
    const StoredTable& table(const std::string& name, int element_bytes, bool is_signed, int rank,
                             const std::string& what) const;
};

// The root of the file. Throws bad_data "NAME: ..." where the file is none of HDF5, truncated, or not as coco_pack
// writes it; what is wrong with single members is said when they are asked for.
StoredGroup read_hdf5_structure(int fd, std::uint64_t file_bytes, const std::string& name);

// Rows of a table that is held in memory, and bytes of a text; more are refused (COCO: 600 thousand captions, 33 MB).
inline constexpr std::uint64_t most_table_rows = 100'000'000, most_text_bytes = 100 * most_table_rows;

[[noreturn]] void throw_wrong_rows(const std::string& name, std::uint64_t rows, std::int64_t expected,
                                   const std::string& what);

// The whole table. expected_rows: its first dimension must be this; -1 accepts any.
template <class T>
std::vector<T> read_table(int fd, const StoredGroup& group, const std::string& name, int rank,
                          std::int64_t expected_rows, const std::string& what) {
    const StoredTable& table = group.table(name, sizeof(T), std::is_signed_v<T>, rank, what);
    const bool fits = expected_rows < 0 || table.shape[0] == static_cast<std::uint64_t>(expected_rows);
    if (!fits || table.shape[0] > (sizeof(T) > 1 ? most_table_rows : most_text_bytes))
        throw_wrong_rows(name, table.shape[0], expected_rows, what);
    std::vector<T> values(table.size_bytes / sizeof(T));
    read_exactly(fd, table.start_bytes, std::as_writable_bytes(std::span(values)), what + ": dataset '" + name + "'");
    return values;
}

}    // namespace blip
