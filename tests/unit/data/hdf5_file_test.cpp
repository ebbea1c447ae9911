// Tables and attributes through HDF5's library: in whatever form a program stores them, and never from outside the
// file.
#include "blip/data/hdf5_file.h"

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include "blip/base/durable_file.h"
#include "hdf5_library.h"
#include "tests/support/paths.h"
#include "tests/support/said.h"

using namespace blip;
using namespace blip::test;

namespace {

auto says(const std::string& name, const std::string& part) {
    return [=](const Error& error) {
        return error.code() == ExitCode::bad_data && contains(error.what(), "F: ") &&
               contains(error.what(), fmt::format("'{}'", name)) && contains(error.what(), part);
    };
}

// With structures of the newest kind.
H5File create(const Path& path) {
    const H5Plist access = file_access();
    h5_check(H5Pset_libver_bounds(access.get(), H5F_LIBVER_LATEST, H5F_LIBVER_LATEST), "access");
    return H5File(h5_check(H5Fcreate(path.c_str(), H5F_ACC_EXCL, H5P_DEFAULT, access.get()), "create"));
}

H5Plist creation() { return H5Plist(h5_check(H5Pcreate(H5P_DATASET_CREATE), "list")); }

H5Dataset make_dataset(const H5File& file, const char* name, hid_t type, hsize_t extent, const H5Plist& how) {
    const H5Space space(h5_check(H5Screate_simple(1, &extent, nullptr), "space"));
    return H5Dataset(
        h5_check(H5Dcreate2(file.get(), name, type, space.get(), H5P_DEFAULT, how.get(), H5P_DEFAULT), name));
}

void make_text(const H5File& file, const char* name, std::size_t size, H5T_str_t padding, const void* value,
               hsize_t count = 1) {
    const H5Type type(h5_check(H5Tcopy(H5T_C_S1), "type"));
    h5_check(H5Tset_size(type.get(), size), "size");
    h5_check(H5Tset_strpad(type.get(), padding), "padding");
    const H5Space space(h5_check(H5Screate_simple(1, &count, nullptr), "space"));
    const H5Attribute made(
        h5_check(H5Acreate2(file.get(), name, type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT), name));
    h5_check(H5Awrite(made.get(), type.get(), value), name);
}

}    // namespace

BOOST_AUTO_TEST_SUITE(hdf5_file)

BOOST_AUTO_TEST_CASE(attributes_of_all_forms_are_read) {
    const TempDir dir;
    const H5File file = create(dir / "a.h5");
    write_attribute(file.get(), "ours", std::string("a picture of "), "test");
    write_attribute(file.get(), "number", -7, "test");
    const char* variable = "a picture of ";
    const char* none = nullptr;
    make_text(file, "variable", H5T_VARIABLE, H5T_STR_NULLTERM, &variable);
    make_text(file, "none", H5T_VARIABLE, H5T_STR_NULLTERM, &none);
    make_text(file, "unterminated", 13, H5T_STR_NULLPAD, "a picture of ");
    make_text(file, "several", 1, H5T_STR_NULLPAD, "ab", 2);
    make_text(file, "large", (1 << 20) + 1, H5T_STR_NULLPAD, std::string((1 << 20) + 1, 'x').data());
    const std::int16_t small = 300;
    const H5Space space(h5_check(H5Screate(H5S_SCALAR), "space"));
    H5Attribute short_number(
        h5_check(H5Acreate2(file.get(), "short", H5T_STD_I16BE, space.get(), H5P_DEFAULT, H5P_DEFAULT), "short"));
    h5_check(H5Awrite(short_number.get(), H5T_NATIVE_INT16, &small), "short");
    for (const char* name : {"ours", "variable", "unterminated"})
        BOOST_TEST(read_text_attribute(file.get(), name, "F") == "a picture of ");
    BOOST_TEST(read_text_attribute(file.get(), "none", "F") == "");
    BOOST_TEST(read_integer_attribute(file.get(), "number", "F") == -7);
    BOOST_TEST(read_integer_attribute(file.get(), "short", "F") == 300);
    const auto all = read_integer_attributes(file.get(), "F");
    BOOST_TEST((all == std::vector<std::pair<std::string, std::int64_t>>{{"number", -7}, {"short", 300}}));
    for (const char* name : {"several", "large", "number"})
        BOOST_CHECK_EXCEPTION((void)read_text_attribute(file.get(), name, "F"), Error, says(name, "is not a text"));
    BOOST_CHECK_EXCEPTION((void)read_integer_attribute(file.get(), "ours", "F"), Error,
                          says("ours", "not a whole number"));
    BOOST_CHECK_EXCEPTION((void)read_text_attribute(file.get(), "absent", "F"), Error,
                          says("absent", "cannot be read"));
}

BOOST_AUTO_TEST_CASE(only_tables_inside_the_file_are_read) {
    const TempDir dir;
    write_bytes(dir / "secret", std::string(64, 's'));
    const H5File file = create(dir / "links.h5");
    h5_check(H5Lcreate_soft("/good", file.get(), "soft", H5P_DEFAULT, H5P_DEFAULT), "soft");
    h5_check(H5Lcreate_external("other.h5", "/there", file.get(), "outside", H5P_DEFAULT, H5P_DEFAULT), "external");
    const hsize_t extent = 64;
    const H5Plist external = creation();
    h5_check(H5Pset_external(external.get(), (dir / "secret").c_str(), 0, 64), "external file");
    make_dataset(file, "elsewhere", H5T_STD_U8LE, 64, external);
    const H5Plist virtual_list = creation();
    const H5Space space(h5_check(H5Screate_simple(1, &extent, nullptr), "space"));
    h5_check(H5Pset_virtual(virtual_list.get(), space.get(), "other.h5", "/there", space.get()), "virtual");
    make_dataset(file, "virtual", H5T_STD_U8LE, 64, virtual_list);
    create_table(file.get(), "floats", H5T_IEEE_F32LE, {4}, "test");
    create_table(file.get(), "big_endian", H5T_STD_I32BE, {4}, "test");
    create_table(file.get(), "flat", H5T_STD_U8LE, {4, 4}, "test");
    H5Group(h5_check(H5Gcreate2(file.get(), "group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), "group"));
    write_table(create_table(file.get(), "good", H5T_STD_U8LE, {4}, "test"), std::vector<std::uint8_t>{1, 2, 3, 4}, "");
    const std::pair<const char*, const char*> expected[] = {
        {"soft", "leads elsewhere"},         {"outside", "leads elsewhere"}, {"elsewhere", "lies in another file"},
        {"virtual", "lies in another file"}, {"floats", "wrong type"},       {"big_endian", "wrong type"},
        {"flat", "number of dimensions"},    {"absent", "cannot be read"},   {"group", "cannot be read"},
    };
    for (const auto& [name, reason] : expected)
        BOOST_CHECK_EXCEPTION((void)open_table(file.get(), name, H5T_STD_U8LE, 1, "F"), Error, says(name, reason));
    BOOST_CHECK_EXCEPTION((void)open_group(file.get(), "soft", "F"), Error, says("soft", "leads elsewhere"));
    BOOST_TEST(has_member(file.get(), "soft", "F"));
    BOOST_TEST(!has_member(file.get(), "absent", "F"));
    const StoredTable good = open_table(file.get(), "good", H5T_STD_U8LE, 1, "F");
    BOOST_TEST(good.bytes == 4U);
    BOOST_TEST(good.start_bytes() == H5Dget_offset(good.dataset.get()));
    BOOST_TEST((read_table<std::uint8_t>(file.get(), "good", 1, 4, "F") == std::vector<std::uint8_t>{1, 2, 3, 4}));
    BOOST_CHECK_EXCEPTION((void)read_table<std::uint8_t>(file.get(), "good", 1, 5, "F"), Error,
                          says("good", "4 rows instead of 5"));
}

// In chunks, compressed or in the object's own header: read, as long as it is no picture and the file can hold so much.
BOOST_AUTO_TEST_CASE(tables_of_all_layouts_are_read) {
    const TempDir dir;
    const std::vector<std::uint8_t> values(10'000, 7);
    const hsize_t chunk = 1000, everything = 4'000'000'000;
    const H5Plist compact = creation(), chunked = creation(), huge = creation();
    h5_check(H5Pset_layout(compact.get(), H5D_COMPACT), "compact");
    h5_check(H5Pset_chunk(chunked.get(), 1, &chunk), "chunk");
    h5_check(H5Pset_deflate(chunked.get(), 9), "deflate");
    h5_check(H5Pset_chunk(huge.get(), 1, &chunk), "chunk");
    const H5File file = create(dir / "layouts.h5");
    write_table(make_dataset(file, "compact", H5T_STD_U8LE, values.size(), compact), values, "test");
    write_table(make_dataset(file, "chunked", H5T_STD_U8LE, values.size(), chunked), values, "test");
    make_dataset(file, "huge", H5T_STD_U8LE, everything, huge);
    make_dataset(file, "never written", H5T_STD_U8LE, 64, creation());
    h5_check(H5Fflush(file.get(), H5F_SCOPE_GLOBAL), "flush");
    for (const char* name : {"compact", "chunked"}) {
        BOOST_TEST((read_table<std::uint8_t>(file.get(), name, 1, 10'000, "F") == values));
        BOOST_CHECK_EXCEPTION((void)open_table(file.get(), name, H5T_STD_U8LE, 1, "F").start_bytes(), Error,
                              says(name, "h5repack -l CONTI -f NONE"));
    }
    for (const char* name : {"huge", "never written"})
        BOOST_CHECK_EXCEPTION((void)open_table(file.get(), name, H5T_STD_U8LE, 1, "F"), Error,
                              says(name, "larger than what the file holds"));
}

BOOST_AUTO_TEST_CASE(files_are_opened_without_a_lock) {
    const TempDir dir;
    const Path path = dir / "a.h5";
    create(path);
    const FileDescriptor other(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    BOOST_REQUIRE(::flock(other.get(), LOCK_EX) == 0);
    const auto opens = [&](hid_t access) {
        return static_cast<bool>(H5File(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access)));
    };
    BOOST_TEST(opens(file_access().get()));
    BOOST_TEST(!opens(H5P_DEFAULT));    // the library's own choice
}

BOOST_AUTO_TEST_SUITE_END()
