// What stands under a path, told apart from a disk that cannot say.
#pragma once

#include <filesystem>

namespace blip {

// not_found where nothing is. A disk that cannot say must not make anything look absent: what is taken for absent is
// begun anew, and what is taken for unfinished is removed. Throws Error(io) then, naming the path.
std::filesystem::file_type file_type_of(const std::filesystem::path& path);

// A regular file that begins as HDF5's do; what cannot be read is none.
bool is_hdf5(const std::filesystem::path& path);

}    // namespace blip
