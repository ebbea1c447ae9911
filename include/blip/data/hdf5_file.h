// Thin layer over HDF5's C interface: handles that close themselves, h5_check, which turns a failed call into Error,
// and the forms of tables and attributes that a packed file has. Used by the packed file's reader and writer; nothing
// outside the data layer sees HDF5. Not every build of the library may be called by several threads at once: call from
// one.
#pragma once

#include <hdf5.h>

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "blip/base/error.h"
#include "blip/base/handle.h"

namespace blip {

template <herr_t (*Close)(hid_t)>
struct Hdf5Traits {
    using value_type = hid_t;
    static hid_t invalid() { return H5I_INVALID_HID; }
    static void close(hid_t id) noexcept { Close(id); }
};
using H5File = Handle<Hdf5Traits<H5Fclose>>;
using H5Group = Handle<Hdf5Traits<H5Gclose>>;
using H5Dataset = Handle<Hdf5Traits<H5Dclose>>;
using H5Space = Handle<Hdf5Traits<H5Sclose>>;
using H5Type = Handle<Hdf5Traits<H5Tclose>>;
using H5Attribute = Handle<Hdf5Traits<H5Aclose>>;
using H5Plist = Handle<Hdf5Traits<H5Pclose>>;

// How files are opened: without locking them (network file systems refuse it) unless HDF5_USE_FILE_LOCKING says so.
// Call it before anything else of HDF5's: it also turns off error stacks on stderr, and plugins, which a file could ask
// for.
H5Plist file_access();

// Passes a non-negative result through; throws Error(code) "what (HDF5: its innermost reason)" otherwise; Error(io)
// where the innermost reason is that reading failed.
hid_t h5_check(hid_t result, const std::string& what, ExitCode code = ExitCode::bad_data,
               std::source_location where = std::source_location::current());

// The HDF5 type of a table's elements: little-endian, in the file as in memory.
template <class T>
hid_t element_type() {
    if constexpr (std::is_same_v<T, std::uint8_t>) return H5T_STD_U8LE;
    if constexpr (std::is_same_v<T, std::uint16_t>) return H5T_STD_U16LE;
    if constexpr (std::is_same_v<T, std::int32_t>) return H5T_STD_I32LE;
    if constexpr (std::is_same_v<T, std::int64_t>) return H5T_STD_I64LE;
    if constexpr (std::is_same_v<T, std::uint64_t>) return H5T_STD_U64LE;
}

// ---- writing ----
// what: the file's name, for messages.
void write_attribute(hid_t object, const std::string& name, const std::string& value, const std::string& what);
void write_attribute(hid_t object, const std::string& name, std::int64_t value, const std::string& what);

// A contiguous dataset whose space is allocated at once (so that its place in the file is known) and never filled.
// alignment of the data: that of the file's access list.
H5Dataset create_table(hid_t group, const std::string& name, hid_t stored_type, const std::vector<hsize_t>& shape,
                       const std::string& what);

template <class T>
void write_table(const H5Dataset& dataset, const std::vector<T>& values, const std::string& what) {
    if (values.empty()) return;
    h5_check(H5Dwrite(dataset.get(), element_type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()),
             what + ": writing failed", ExitCode::io);
}

// ---- reading ----
// Throws bad_data "WHAT: ..." for what is absent, damaged or of another kind. Nothing outside of the file is read:
// links and datasets that lead elsewhere are refused.

// Whether flipped bits of a file's structures are told: HDF5 1.8 and later can write such.
bool has_checksums(const H5File& file);

// Attributes: one text, of fixed or variable length; one whole number; all whole numbers, by name.
std::string read_text_attribute(hid_t object, const std::string& name, const std::string& what);
std::int64_t read_integer_attribute(hid_t object, const std::string& name, const std::string& what);
std::vector<std::pair<std::string, std::int64_t>> read_integer_attributes(hid_t object, const std::string& what);

// Whether there is a member, of any kind.
bool has_member(hid_t group, const std::string& name, const std::string& what);
H5Group open_group(hid_t parent, const std::string& name, const std::string& what);

// A dataset that was looked at but not read. Its file holds as many bytes as its shape needs.
struct StoredTable {
    std::string where;    // for messages
    H5Dataset dataset;
    std::vector<hsize_t> shape;
    std::uint64_t bytes = 0;    // of all elements
    bool contiguous = false;

    // Place of its first byte in the file, 0 if it has none. Throws if it lies in pieces, or not as plain bytes.
    std::uint64_t start_bytes() const;
};
StoredTable open_table(hid_t group, const std::string& name, hid_t stored_type, int rank, const std::string& what);

// Throws unless a table that is to be held in memory has that many rows (-1: as many as can be believed).
void check_rows(const StoredTable& table, std::int64_t expected_rows);

// The whole table. expected_rows: its first dimension must be this; -1 accepts any.
template <class T>
std::vector<T> read_table(hid_t group, const std::string& name, int rank, std::int64_t expected_rows,
                          const std::string& what) {
    const StoredTable table = open_table(group, name, element_type<T>(), rank, what);
    check_rows(table, expected_rows);
    std::vector<T> values(table.bytes / sizeof(T));
    if (!values.empty())
        h5_check(H5Dread(table.dataset.get(), element_type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()),
                 table.where + " cannot be read");
    return values;
}

}    // namespace blip
