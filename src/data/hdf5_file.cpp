// HDF5 calls with errors as exceptions; see the header.
#include "blip/data/hdf5_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

namespace blip {

H5Plist file_access() {
    static std::once_flag once;
    std::call_once(once, [] {
        // at exit HDF5 would close once more what could not be written before, and crash on a full disk
        H5dont_atexit();
        H5open();
        H5PLset_loading_state(0);
    });
    // per thread in thread-safe builds, hence outside of the once
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    H5Plist access(h5_check(H5Pcreate(H5P_FILE_ACCESS), "HDF5", ExitCode::internal));
    h5_check(H5Pset_file_locking(access.get(), false, true), "HDF5", ExitCode::internal);
    return access;
}

namespace {

struct Reason {
    std::string text;
    bool reading_failed = false;
};

// Of what the library says of a failed system call: "file write failed: time = ..., errno = 28, error message = 'No
// space left on device', buf = ..." becomes "file write failed: No space left on device".
std::string shortened(const std::string& text) {
    const std::string mark = "error message = '";
    const auto cut = text.find(": time = "), start = text.find(mark);
    if (cut == text.npos || start == text.npos) return text;
    const auto first = start + mark.size();
    return text.substr(0, cut) + ": " + text.substr(first, text.find('\'', first) - first);
}

// Keeps the innermost description: the walk goes upward from where the error was found.
herr_t first_reason(unsigned, const H5E_error2_t* error, void* result) {
    auto& reason = *static_cast<Reason*>(result);
    if (!reason.text.empty() || error->desc == nullptr) return 0;
    reason.text = shortened(error->desc);
    reason.reading_failed = error->maj_num == H5E_IO && error->min_num == H5E_READERROR;
    return 0;
}

}    // namespace

hid_t h5_check(hid_t result, const std::string& what, ExitCode code, std::source_location where) {
    if (result >= 0) return result;
    Reason reason;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, first_reason, &reason);
    H5Eclear2(H5E_DEFAULT);
    throw Error({reason.reading_failed ? ExitCode::io : code, where},
                reason.text.empty() ? what : what + " (HDF5: " + reason.text + ")");
}

namespace {

void write_attribute(hid_t object, const std::string& name, hid_t type, const void* value, const std::string& failed) {
    const H5Space space(h5_check(H5Screate(H5S_SCALAR), failed, ExitCode::io));
    const H5Attribute attribute(
        h5_check(H5Acreate2(object, name.c_str(), type, space.get(), H5P_DEFAULT, H5P_DEFAULT), failed, ExitCode::io));
    h5_check(H5Awrite(attribute.get(), type, value), failed, ExitCode::io);
}

}    // namespace

void write_attribute(hid_t object, const std::string& name, const std::string& value, const std::string& what) {
    const std::string failed = what + ": writing attribute '" + name + "' failed";
    const H5Type type(h5_check(H5Tcopy(H5T_C_S1), failed, ExitCode::io));
    h5_check(H5Tset_size(type.get(), value.size() + 1), failed, ExitCode::io);    // with the closing zero
    h5_check(H5Tset_cset(type.get(), H5T_CSET_UTF8), failed, ExitCode::io);
    write_attribute(object, name, type.get(), value.c_str(), failed);
}

void write_attribute(hid_t object, const std::string& name, std::int64_t value, const std::string& what) {
    write_attribute(object, name, element_type<std::int64_t>(), &value,
                    what + ": writing attribute '" + name + "' failed");
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

// ---- reading ----
namespace {

// Of a text, of rows held in memory, and of the bytes of a text table; more are refused (COCO: 600 thousand captions,
// 33 MB).
constexpr std::size_t most_attribute_bytes = 1 << 20;
constexpr std::uint64_t most_table_rows = 100'000'000, most_text_bytes = 100 * most_table_rows;
constexpr std::uint64_t best_compression = 1032;    // deflate's

struct StoredAttribute {
    std::string where;
    H5Attribute attribute;
    H5Type type;
    H5T_class_t kind;
    bool single;
};

StoredAttribute open_attribute(hid_t object, const std::string& name, const std::string& what) {
    const std::string where = fmt::format("{}: attribute '{}'", what, name), bad = where + " cannot be read";
    H5Attribute attribute(h5_check(H5Aopen(object, name.c_str(), H5P_DEFAULT), bad));
    H5Type type(h5_check(H5Aget_type(attribute.get()), bad));
    const H5Space space(h5_check(H5Aget_space(attribute.get()), bad));
    const H5T_class_t kind = H5Tget_class(type.get());
    return {where, std::move(attribute), std::move(type), kind, H5Sget_simple_extent_npoints(space.get()) == 1};
}

std::int64_t read_integer(const StoredAttribute& stored) {
    std::int64_t value = 0;
    h5_check(H5Aread(stored.attribute.get(), H5T_NATIVE_INT64, &value), stored.where + " cannot be read");
    return value;
}

herr_t add_name(hid_t, const char* name, const H5A_info_t*, void* names) {
    static_cast<std::vector<std::string>*>(names)->emplace_back(name);
    return 0;
}

// The type of a member's link is known before anything that it leads to is touched.
void require_own_member(hid_t group, const std::string& name, const std::string& where) {
    H5L_info_t link;
    h5_check(H5Lget_info(group, name.c_str(), &link, H5P_DEFAULT), where + " cannot be read");
    if (link.type != H5L_TYPE_HARD) throw Error(ExitCode::bad_data, where + " leads elsewhere, where nothing is read");
}

hsize_t file_bytes(hid_t object) {
    const H5File file(h5_check(H5Iget_file_id(object), "HDF5", ExitCode::internal));
    hsize_t bytes = 0;
    h5_check(H5Fget_filesize(file.get(), &bytes), "HDF5", ExitCode::internal);
    return bytes;
}

}    // namespace

bool has_checksums(const H5File& file) {
    const H5Plist made(h5_check(H5Fget_create_plist(file.get()), "HDF5", ExitCode::internal));
    unsigned superblock = 0;
    h5_check(H5Pget_version(made.get(), &superblock, nullptr, nullptr, nullptr), "HDF5", ExitCode::internal);
    return superblock >= 2;
}

std::string read_text_attribute(hid_t object, const std::string& name, const std::string& what) {
    const StoredAttribute stored = open_attribute(object, name, what);
    const std::size_t bytes = H5Tget_size(stored.type.get());
    if (stored.kind != H5T_STRING || !stored.single || bytes > most_attribute_bytes)
        throw Error(ExitCode::bad_data, stored.where + " is not a text");
    const std::string damaged = stored.where + " cannot be read";
    if (h5_check(H5Tis_variable_str(stored.type.get()), damaged) > 0) {
        char* value = nullptr;
        h5_check(H5Aread(stored.attribute.get(), stored.type.get(), &value), damaged);
        std::string text = value == nullptr ? "" : value;
        H5free_memory(value);
        return text;
    }
    std::string text(bytes, '\0');
    h5_check(H5Aread(stored.attribute.get(), stored.type.get(), text.data()), damaged);
    text.resize(std::min(text.find('\0'), bytes));
    return text;
}

std::int64_t read_integer_attribute(hid_t object, const std::string& name, const std::string& what) {
    const StoredAttribute stored = open_attribute(object, name, what);
    if (stored.kind != H5T_INTEGER || !stored.single)
        throw Error(ExitCode::bad_data, stored.where + " is not a whole number");
    return read_integer(stored);
}

std::vector<std::pair<std::string, std::int64_t>> read_integer_attributes(hid_t object, const std::string& what) {
    std::vector<std::string> names;
    h5_check(H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, nullptr, add_name, &names),
             what + ": its attributes cannot be read");
    std::vector<std::pair<std::string, std::int64_t>> values;
    for (const std::string& name : names)
        if (const StoredAttribute stored = open_attribute(object, name, what);
            stored.kind == H5T_INTEGER && stored.single)
            values.emplace_back(name, read_integer(stored));
    return values;
}

bool has_member(hid_t group, const std::string& name, const std::string& what) {
    return h5_check(H5Lexists(group, name.c_str(), H5P_DEFAULT), what + ": its list of members cannot be read") > 0;
}

H5Group open_group(hid_t parent, const std::string& name, const std::string& what) {
    const std::string where = fmt::format("{}: group '{}'", what, name);
    require_own_member(parent, name, where);
    return H5Group(h5_check(H5Gopen2(parent, name.c_str(), H5P_DEFAULT), where + " cannot be read"));
}

StoredTable open_table(hid_t group, const std::string& name, hid_t stored_type, int rank, const std::string& what) {
    StoredTable table;
    table.where = fmt::format("{}: dataset '{}'", what, name);
    const std::string bad = table.where + " cannot be read";
    const auto refuse = [&](const char* why) { throw Error(ExitCode::bad_data, table.where + why); };
    require_own_member(group, name, table.where);
    table.dataset = H5Dataset(h5_check(H5Dopen2(group, name.c_str(), H5P_DEFAULT), bad));
    const hid_t dataset = table.dataset.get();
    // before its shape, for which a virtual dataset would open other files
    const H5Plist made(h5_check(H5Dget_create_plist(dataset), bad));
    const H5D_layout_t layout = H5Pget_layout(made.get());
    table.contiguous = layout == H5D_CONTIGUOUS;
    if ((!table.contiguous && layout != H5D_CHUNKED && layout != H5D_COMPACT) ||
        h5_check(H5Pget_external_count(made.get()), bad) > 0)
        refuse(" lies in another file, which is not read");
    const H5Type type(h5_check(H5Dget_type(dataset), bad));
    if (h5_check(H5Tequal(type.get(), stored_type), bad) == 0) refuse(" has the wrong type");
    const H5Space space(h5_check(H5Dget_space(dataset), bad));
    if (H5Sget_simple_extent_ndims(space.get()) != rank) refuse(" has the wrong number of dimensions");
    table.shape.resize(static_cast<std::size_t>(rank));
    h5_check(H5Sget_simple_extent_dims(space.get(), table.shape.data(), nullptr), bad);
    const hsize_t stored = H5Dget_storage_size(dataset);
    const hsize_t most = stored > file_bytes(dataset) ? 0 : stored * (layout == H5D_CHUNKED ? best_compression : 1);
    table.bytes = H5Tget_size(type.get());
    for (const hsize_t extent : table.shape) {
        // by division, so that no damaged extent overflows
        if (extent != 0 && table.bytes > most / extent)
            refuse(" is larger than what the file holds; the file is truncated or damaged");
        table.bytes *= extent;
    }
    return table;
}

std::uint64_t StoredTable::start_bytes() const {
    if (!contiguous)
        throw Error(ExitCode::bad_data,
                    where + " is not stored in one piece; 'h5repack -l CONTI -f NONE FILE NEW' makes a file that is");
    if (bytes == 0) return 0;
    const haddr_t start = H5Dget_offset(dataset.get());
    const hsize_t whole = file_bytes(dataset.get());
    if (start == HADDR_UNDEF || bytes > whole || start > whole - bytes)
        throw Error(ExitCode::bad_data, where + " lies outside of the file; the file is truncated or damaged");
    return start;
}

void check_rows(const StoredTable& table, std::int64_t expected_rows) {
    const hsize_t rows = table.shape[0];
    if (expected_rows >= 0 && rows != static_cast<hsize_t>(expected_rows))
        throw Error(ExitCode::bad_data, "{} has {} rows instead of {}", table.where, rows, expected_rows);
    if (rows > (table.bytes > rows ? most_table_rows : most_text_bytes))
        throw Error(ExitCode::bad_data, "{} has {} rows, which is beyond belief", table.where, rows);
}

}    // namespace blip
