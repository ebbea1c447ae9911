// HDF5 calls with errors as exceptions; see the header.
#include "blip/data/hdf5_file.h"

#include <cstdlib>
#include <mutex>

namespace blip {

void h5_initialise() {
    static std::once_flag once;
    std::call_once(once, [] {
        setenv("HDF5_USE_FILE_LOCKING", "FALSE", 0);    // 0: a value set by the user stays
        // at exit HDF5 would close once more what could not be written before, and crash on a full disk
        H5dont_atexit();
        H5open();
    });
    // per thread in thread-safe builds, hence outside of the once
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

namespace {

// Keeps the innermost description: the walk goes upward from where the error was found.
herr_t first_reason(unsigned, const H5E_error2_t* error, void* result) {
    auto& text = *static_cast<std::string*>(result);
    if (text.empty() && error->desc != nullptr) text = error->desc;
    return 0;
}

}    // namespace

hid_t h5_check(hid_t result, const std::string& what, ExitCode code, std::source_location where) {
    if (result >= 0) return result;
    std::string reason;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, first_reason, &reason);
    H5Eclear2(H5E_DEFAULT);
    throw Error(code, reason.empty() ? what : what + " (HDF5: " + reason + ")", where);
}

void write_attribute(hid_t object, const std::string& name, const std::string& value, const std::string& what) {
    const std::string failed = what + ": writing attribute '" + name + "' failed";
    const H5Type type(h5_check(H5Tcopy(H5T_C_S1), failed, ExitCode::io));
    h5_check(H5Tset_size(type.get(), value.size() + 1), failed, ExitCode::io);    // with the closing zero
    h5_check(H5Tset_cset(type.get(), H5T_CSET_UTF8), failed, ExitCode::io);
    const H5Space space(h5_check(H5Screate(H5S_SCALAR), failed, ExitCode::io));
    const H5Attribute attribute(h5_check(
        H5Acreate2(object, name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT), failed, ExitCode::io));
    h5_check(H5Awrite(attribute.get(), type.get(), value.c_str()), failed, ExitCode::io);
}

void write_attribute(hid_t object, const std::string& name, std::int64_t value, const std::string& what) {
    const std::string failed = what + ": writing attribute '" + name + "' failed";
    const H5Space space(h5_check(H5Screate(H5S_SCALAR), failed, ExitCode::io));
    const H5Attribute attribute(h5_check(
        H5Acreate2(object, name.c_str(), H5T_STD_I64LE, space.get(), H5P_DEFAULT, H5P_DEFAULT), failed, ExitCode::io));
    h5_check(H5Awrite(attribute.get(), H5T_NATIVE_INT64, &value), failed, ExitCode::io);
}

H5Dataset create_table(hid_t group, const std::string& name, hid_t stored_type, const std::vector<hsize_t>& shape,
                       const std::string& what) {
    const std::string failed = what + ": creating dataset '" + name + "' failed";
    const H5Space space(
        h5_check(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), failed, ExitCode::io));
    const H5Plist create(h5_check(H5Pcreate(H5P_DATASET_CREATE), failed, ExitCode::io));
    h5_check(H5Pset_layout(create.get(), H5D_CONTIGUOUS), failed, ExitCode::io);
    h5_check(H5Pset_alloc_time(create.get(), H5D_ALLOC_TIME_EARLY), failed, ExitCode::io);
    h5_check(H5Pset_fill_time(create.get(), H5D_FILL_TIME_NEVER), failed, ExitCode::io);
    h5_check(H5Pset_obj_track_times(create.get(), false), failed, ExitCode::io);    // same input, same bytes
    return H5Dataset(
        h5_check(H5Dcreate2(group, name.c_str(), stored_type, space.get(), H5P_DEFAULT, create.get(), H5P_DEFAULT),
                 failed, ExitCode::io));
}

}    // namespace blip
