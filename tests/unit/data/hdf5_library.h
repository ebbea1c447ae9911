// A packed file seen and changed with HDF5's own calls; for the tests of this folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "blip/data/hdf5_file.h"

namespace blip::test {

// The structures that coco_pack writes.
inline H5Plist packed_structures() {
    H5Plist access = file_access();
    h5_check(H5Pset_libver_bounds(access.get(), H5F_LIBVER_V18, H5F_LIBVER_V18), "access");
    return access;
}
inline H5File open_to_change(const std::filesystem::path& path) {
    return H5File(h5_check(H5Fopen(path.c_str(), H5F_ACC_RDWR, packed_structures().get()), "open"));
}
// Where HDF5 says that a dataset begins.
inline std::uint64_t place_of(const std::filesystem::path& path, const std::string& dataset) {
    const H5File file(h5_check(H5Fopen(path.c_str(), H5F_ACC_RDONLY, file_access().get()), "open"));
    const H5Dataset table(h5_check(H5Dopen2(file.get(), dataset.c_str(), H5P_DEFAULT), "dataset"));
    return H5Dget_offset(table.get());
}

}    // namespace blip::test
