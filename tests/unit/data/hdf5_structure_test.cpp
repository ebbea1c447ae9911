// The structure of HDF5 files, read without HDF5's library: it agrees with the library on what the library wrote, and
// what leads out of the file, into circles or beyond its end is refused.
#include "src/data/hdf5_structure.h"

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <fmt/format.h>

#include "blip/base/durable_file.h"
#include "hdf5_library.h"
#include "tests/support/paths.h"

using namespace blip;
using namespace blip::test;

namespace {

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

struct OpenedFile {
    FileDescriptor fd;
    StoredGroup root;
    explicit OpenedFile(const Path& path)
        : fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)),
          root(read_hdf5_structure(fd.get(), std::filesystem::file_size(path), path.string())) {}
};

std::string refusal(const Path& path) {
    try {
        const OpenedFile file(path);
    } catch (const Error& error) {
        BOOST_TEST((error.code() == ExitCode::bad_data));
        BOOST_TEST(contains(error.what(), path.string()));
        return error.what();
    }
    return "";
}

H5File create(const Path& path) {
    h5_initialise();
    return H5File(h5_check(H5Fcreate(path.c_str(), H5F_ACC_EXCL, H5P_DEFAULT, packed_structures().get()), "create"));
}

std::string number(std::uint64_t value, int bytes) {
    std::string text;
    for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
    return text;
}
std::string with_checksum(const std::string& text) { return text + number(lookup3(std::as_bytes(std::span(text))), 4); }
std::string superblock(std::uint64_t end, std::uint64_t root) {
    return with_checksum("\x89HDF\r\n\x1a\n" + std::string("\x02\x08\x08\x00", 4) + number(0, 8) +
                         number(no_address, 8) + number(end, 8) + number(root, 8));
}
std::string message(int kind, const std::string& content) {
    return number(static_cast<std::uint64_t>(kind), 1) + number(content.size(), 2) + number(0, 1) + content;
}
// An object header with these messages.
std::string object(const std::string& messages) {
    return with_checksum("OHDR" + std::string("\x02\x01", 2) + number(messages.size(), 2) + messages);
}

}    // namespace

BOOST_AUTO_TEST_SUITE(hdf5_structure)

// Values that the function's author gives (lookup3.c, driver5).
BOOST_AUTO_TEST_CASE(the_checksum_is_lookup3) {
    const std::string text = "Four score and seven years ago";
    BOOST_TEST(lookup3(std::as_bytes(std::span(text))) == 0x17770551U);
    BOOST_TEST(lookup3({}) == 0xdeadbeefU);
}

// From few members, which stand in the group's header, to so many that they stand in a heap of several blocks.
BOOST_AUTO_TEST_CASE(agrees_with_the_library) {
    const TempDir dir;
    for (const int members : {1, 4, 5, 8, 9, 14}) {
        const Path path = dir / fmt::format("{}.h5", members);
        {
            const H5File file = create(path);
            const H5Group group(
                h5_check(H5Gcreate2(file.get(), "train", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), "group"));
            for (int i = 0; i < members; ++i) {
                write_attribute(group.get(), fmt::format("note {}", i), i - 3, "test");
                write_attribute(group.get(), fmt::format("text {}", i), std::string(static_cast<std::size_t>(i), 'x'),
                                "test");
                const std::vector<std::int32_t> values(static_cast<std::size_t>(3 * i), i);
                const std::string name = fmt::format("a table with a longer name {}", i);
                write_table(create_table(group.get(), name, H5T_STD_I32LE, {static_cast<hsize_t>(i), 3}, "test"),
                            values, "test");
            }
        }
        const OpenedFile file(path);
        for (const auto& [name, problem] : file.root.unreadable) BOOST_ERROR(name + ": " + problem);
        const StoredGroup& group = file.root.groups.at("train");
        for (const auto& [name, problem] : group.unreadable) BOOST_ERROR(name + ": " + problem);
        BOOST_TEST(group.tables.size() == static_cast<std::size_t>(members));
        BOOST_TEST(group.texts.size() == static_cast<std::size_t>(members));
        for (int i = 0; i < members; ++i) {
            BOOST_TEST(group.integer(fmt::format("note {}", i), "test") == i - 3);
            BOOST_TEST(group.text(fmt::format("text {}", i), "test").size() == static_cast<std::size_t>(i));
            const std::string name = fmt::format("a table with a longer name {}", i);
            const StoredTable& table = group.table(name, 4, true, 2, "test");
            if (i > 0) BOOST_TEST(table.start_bytes == place_of(path, "train/" + name));
            const std::vector<std::int32_t> values = read_table<std::int32_t>(file.fd.get(), group, name, 2, i, "test");
            BOOST_TEST(values == std::vector<std::int32_t>(static_cast<std::size_t>(3 * i), i),
                       boost::test_tools::per_element());
        }
    }
}

BOOST_AUTO_TEST_CASE(only_tables_inside_the_file_are_read) {
    const TempDir dir;
    write_bytes(dir / "secret", std::string(64, 's'));
    const Path path = dir / "links.h5";
    {
        const H5File file = create(path);
        h5_check(H5Lcreate_soft("/there", file.get(), "soft", H5P_DEFAULT, H5P_DEFAULT), "soft");
        h5_check(H5Lcreate_external("other.h5", "/there", file.get(), "outside", H5P_DEFAULT, H5P_DEFAULT), "external");
        const hsize_t extent = 64;
        const H5Space space(h5_check(H5Screate_simple(1, &extent, nullptr), "space"));
        const H5Plist external(h5_check(H5Pcreate(H5P_DATASET_CREATE), "list"));
        h5_check(H5Pset_external(external.get(), (dir / "secret").c_str(), 0, 64), "external file");
        H5Dataset(h5_check(
            H5Dcreate2(file.get(), "elsewhere", H5T_STD_U8LE, space.get(), H5P_DEFAULT, external.get(), H5P_DEFAULT),
            "dataset"));
        const H5Plist chunked(h5_check(H5Pcreate(H5P_DATASET_CREATE), "list"));
        h5_check(H5Pset_chunk(chunked.get(), 1, &extent), "chunk");
        H5Dataset(h5_check(
            H5Dcreate2(file.get(), "chunked", H5T_STD_U8LE, space.get(), H5P_DEFAULT, chunked.get(), H5P_DEFAULT),
            "dataset"));
        create_table(file.get(), "floats", H5T_IEEE_F32LE, {4}, "test");
        create_table(file.get(), "big_endian", H5T_STD_I32BE, {4}, "test");
        create_table(file.get(), "good", H5T_STD_I32LE, {4}, "test");
    }
    const OpenedFile file(path);
    const std::pair<const char*, const char*> expected[] = {
        {"soft", "leads elsewhere"},   {"outside", "leads elsewhere"}, {"elsewhere", "lies in another file"},
        {"chunked", "not contiguous"}, {"floats", "wrong type"},       {"big_endian", "wrong type"},
        {"absent", "is missing"},
    };
    for (const auto& [name, reason] : expected)
        BOOST_CHECK_EXCEPTION((void)file.root.table(name, 1, false, 1, "F"), Error, [&](const Error& error) {
            return error.code() == ExitCode::bad_data && contains(error.what(), fmt::format("'{}'", name)) &&
                   contains(error.what(), reason);
        });
    BOOST_TEST(file.root.table("good", 4, true, 1, "F").size_bytes == 16U);
    BOOST_CHECK_THROW((void)file.root.table("good", 4, false, 1, "F"), Error);
    BOOST_CHECK_THROW((void)file.root.table("good", 2, true, 1, "F"), Error);
    BOOST_CHECK_THROW((void)file.root.table("good", 4, true, 2, "F"), Error);
}

BOOST_AUTO_TEST_CASE(hostile_structures_come_to_an_end) {
    const TempDir dir;
    const Path path = dir / "made.h5";
    const auto made = [&](const std::string& root, const std::string& rest = "") {
        write_bytes(path, superblock(48 + root.size() + rest.size(), 48) + root + rest);
    };
    made(object(""));
    BOOST_TEST(refusal(path) == "");    // an empty group: the pieces made here are well made
    // a header that continues itself: for ever, if nobody counted
    const std::string circle = with_checksum("OCHK" + message(0x10, number(48 + 32, 8) + number(28, 8)));
    made(object(message(0x10, number(48 + 32, 8) + number(circle.size(), 8))), circle);
    BOOST_TEST(contains(refusal(path), "too many messages"), refusal(path));
    // a header of four billion bytes; one beyond the file
    made("OHDR" + std::string("\x02\x02", 2) + number(0xffffffff, 4));
    BOOST_TEST(contains(refusal(path), "larger than the file"), refusal(path));
    write_bytes(path, superblock(48, std::uint64_t{1} << 62));
    BOOST_TEST(contains(refusal(path), "damaged"), refusal(path));
    // a heap whose blocks would be of any size
    const std::string heap = with_checksum("FRHP" + number(0, 1) + number(7, 2) + number(0, 2) + number(0, 1) +
                                           number(4096, 4) + std::string(96, '\0') + number(0xffff, 2) +
                                           number(std::uint64_t{1} << 62, 8) + number(std::uint64_t{1} << 63, 8) +
                                           number(32, 2) + number(1, 2) + number(48, 8) + number(0xffff, 2));
    BOOST_TEST(heap.size() == 146U);
    const std::string group = object(message(2, number(0, 2) + number(48 + 34, 8) + number(48, 8)));
    BOOST_TEST(group.size() == 34U);
    made(group, heap);
    BOOST_TEST(contains(refusal(path), "a heap is of a kind"), refusal(path));
    // a dataset whose size overflows to something small
    const std::string table = object(message(1, "\x02\x02" + number(0, 1) + "\x01" + number(std::uint64_t{1} << 32, 8) +
                                                    number(std::uint64_t{1} << 32, 8)) +
                                     message(3, "\x10" + number(0, 3) + number(1, 4) + number(0, 2) + number(8, 2)) +
                                     message(8, "\x03\x01" + number(48, 8) + number(0, 8)));
    const std::string name = "huge", link = number(1, 1) + number(0, 1) + number(name.size(), 1) + name;
    const std::size_t root_bytes = object(message(6, link + number(0, 8))).size();
    made(object(message(6, link + number(48 + root_bytes, 8))), table);
    const OpenedFile file(path);
    BOOST_CHECK_EXCEPTION((void)file.root.table("huge", 1, false, 2, "F"), Error,
                          [](const Error& error) { return contains(error.what(), "larger than the file"); });
}

BOOST_AUTO_TEST_SUITE_END()
