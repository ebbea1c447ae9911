// Thin layer over HDF5's C interface: handles that close themselves, and h5_check, which turns a failed call into
// Error. Used by the packed file's writer only (reading does without HDF5's library: src/data/hdf5_structure.h);
// nothing outside the data layer sees HDF5.
#pragma once

#include <hdf5.h>

#include <cstdint>
#include <filesystem>
#include <string>
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

// Once per process, before any other HDF5 call: no file locking unless the user chose it (network file systems refuse
// it), no error stacks on stderr.
void h5_initialise();

// Passes a non-negative result through; throws Error(code) "what: HDF5's innermost reason" otherwise.
hid_t h5_check(hid_t result, const std::string& what, ExitCode code = ExitCode::bad_data,
               std::source_location where = std::source_location::current());

// The HDF5 types of a table's elements: as stored (little-endian) and in memory.
template <class T>
struct H5Element;
template <>
struct H5Element<std::uint8_t> {
    static hid_t stored() { return H5T_STD_U8LE; }
    static hid_t memory() { return H5T_NATIVE_UINT8; }
};
template <>
struct H5Element<std::uint16_t> {
    static hid_t stored() { return H5T_STD_U16LE; }
    static hid_t memory() { return H5T_NATIVE_UINT16; }
};
template <>
struct H5Element<std::int32_t> {
    static hid_t stored() { return H5T_STD_I32LE; }
    static hid_t memory() { return H5T_NATIVE_INT32; }
};
template <>
struct H5Element<std::int64_t> {
    static hid_t stored() { return H5T_STD_I64LE; }
    static hid_t memory() { return H5T_NATIVE_INT64; }
};
template <>
struct H5Element<std::uint64_t> {
    static hid_t stored() { return H5T_STD_U64LE; }
    static hid_t memory() { return H5T_NATIVE_UINT64; }
};

// Attributes of a file or group. what: the file's name, for messages.
void write_attribute(hid_t object, const std::string& name, const std::string& value, const std::string& what);
void write_attribute(hid_t object, const std::string& name, std::int64_t value, const std::string& what);

// A contiguous dataset whose space is allocated at once (so that its place in the file is known) and never filled.
// alignment of the data: that of the file's access list.
H5Dataset create_table(hid_t group, const std::string& name, hid_t stored_type, const std::vector<hsize_t>& shape,
                       const std::string& what);

template <class T>
void write_table(const H5Dataset& dataset, const std::vector<T>& values, const std::string& what) {
    if (values.empty()) return;
    h5_check(H5Dwrite(dataset.get(), H5Element<T>::memory(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()),
             what + ": writing failed", ExitCode::io);
}

}    // namespace blip
