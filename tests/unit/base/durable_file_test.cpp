// Files appear whole or not at all, and every failure names the file.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <string>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "tests/support/paths.h"

namespace blip::test {
namespace {

std::size_t entries(const Path& folder) {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

template <class Function>
void expect_error(ExitCode code, const std::string& part, Function function) {
    BOOST_CHECK_EXCEPTION(function(), Error, [&](const Error& error) {
        return error.code() == code && std::string(error.what()).find(part) != std::string::npos;
    });
}

boost::test_tools::assertion_result has_full_device(boost::unit_test::test_unit_id) {
    return std::filesystem::exists("/dev/full");
}

}    // namespace

BOOST_AUTO_TEST_SUITE(durable_file)

BOOST_AUTO_TEST_CASE(file_appears_at_commit_only) {
    const TempDir folder;
    const Path path = folder / "out.bin";
    DurableFile file(path);
    file.write("hello ");
    file.write("world");
    BOOST_TEST(file.written_bytes() == 11u);
    BOOST_TEST(!std::filesystem::exists(path));
    file.commit();
    BOOST_TEST(read_file(path) == "hello world");
    BOOST_TEST(entries(folder.path()) == 1u);
}

BOOST_AUTO_TEST_CASE(what_stands_in_the_temporary_files_place_is_replaced_not_written_to) {
    const TempDir folder;
    const Path path = folder / "out.bin", temporary = path.string() + ".tmp." + std::to_string(::getpid());
    write_file_durably(folder / "other", "mine");
    std::filesystem::create_symlink(folder / "other", temporary);
    write_file_durably(path, "new");
    BOOST_TEST(read_file(folder / "other") == "mine");
    BOOST_TEST(!std::filesystem::is_symlink(path));
    write_file_durably(temporary, "of a killed process, and longer");
    write_file_durably(path, "newer");
    BOOST_TEST(read_file(path) == "newer");
    BOOST_TEST(entries(folder.path()) == 2u);
}

BOOST_AUTO_TEST_CASE(devices_pipes_and_names_of_standard_output_are_not_replaced) {
    const TempDir folder;
    write_file_durably(folder / "made", "by HDF5");
    BOOST_REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
    std::filesystem::create_symlink("/dev/null", folder / "null");
    std::filesystem::create_symlink("/proc/self/fd/1", folder / "stdout");    // as /dev/stdout, also of a file
    for (const char* name : {"pipe", "null", "stdout"}) {
        const auto before = std::filesystem::symlink_status(folder / name).type();
        expect_error(ExitCode::io, "a device or a pipe", [&] { write_file_durably(folder / name, "new"); });
        expect_error(ExitCode::io, "a device or a pipe", [&] { publish_file(folder / "made", folder / name); });
        BOOST_TEST((std::filesystem::symlink_status(folder / name).type() == before));
    }
    BOOST_TEST(entries(folder.path()) == 4u);
}

BOOST_AUTO_TEST_CASE(what_is_read_is_not_written_under_whatever_name) {
    const TempDir folder;
    write_file_durably(folder / "refs.json", "{}");
    std::filesystem::create_hard_link(folder / "refs.json", folder / "other");
    check_not_read(folder / "new", {folder / "refs.json", "", folder / "absent"});
    expect_error(ExitCode::usage, "refs.json: name another file", [&] {
        check_not_read(folder / "other", {folder / "absent", folder / "refs.json"});
    });
}

BOOST_AUTO_TEST_CASE(abandoned_file_leaves_the_old_one) {
    const TempDir folder;
    const Path path = folder / "out.bin";
    write_file_durably(path, "old");
    {
        DurableFile file(path);
        file.write("new");
        DurableFile moved(std::move(file));    // the moved-from one removes nothing
        BOOST_TEST(entries(folder.path()) == 2u);
    }
    BOOST_TEST(read_file(path) == "old");
    BOOST_TEST(entries(folder.path()) == 1u);
}

BOOST_AUTO_TEST_CASE(commit_replaces_the_old_one) {
    const TempDir folder;
    write_file_durably(folder / "a", "one");
    write_file_durably(folder / "a", "two");
    BOOST_TEST(read_file(folder / "a") == "two");
}

BOOST_AUTO_TEST_CASE(published_file_moves) {
    const TempDir folder;
    write_bytes(folder / "made.tmp", "content");
    publish_file(folder / "made.tmp", folder / "made");
    BOOST_TEST(read_file(folder / "made") == "content");
    BOOST_TEST(entries(folder.path()) == 1u);
    expect_error(ExitCode::io, "absent", [&] { publish_file(folder / "absent", folder / "b"); });
}

BOOST_AUTO_TEST_CASE(reads_any_length_and_files_without_a_size) {
    const TempDir folder;
    for (const std::size_t length : {0u, 1u, 4096u, 100000u}) {
        std::string content(length, '\0');
        for (std::size_t i = 0; i < length; ++i) content[i] = static_cast<char>(i * 7);
        write_file_durably(folder / "x", content);
        BOOST_TEST((read_file(folder / "x") == content));
    }
    BOOST_TEST(!read_file("/proc/self/status").empty());
}

BOOST_AUTO_TEST_CASE(failures_name_the_file) {
    const TempDir folder;
    expect_error(ExitCode::missing_input, "nowhere", [&] { read_file(folder / "nowhere"); });
    expect_error(ExitCode::io, "no_folder", [&] { DurableFile file((folder / "no_folder") / "x"); });
    expect_error(ExitCode::io, folder.path().string(), [&] { read_file(folder.path()); });
    expect_error(ExitCode::io, "absent", [&] { sync_directory(folder / "absent"); });
}

BOOST_AUTO_TEST_CASE(full_disk_is_reported, *boost::unit_test::precondition(has_full_device)) {
    const TempDir folder;
    const FileDescriptor full(::open("/dev/full", O_WRONLY));
    expect_error(ExitCode::io, "free some space", [&] {
        DurableFile file(folder / "x");
        BOOST_REQUIRE(::dup2(full.get(), file.fd()) >= 0);
        file.write("anything");
    });
    BOOST_TEST(entries(folder.path()) == 0u);
}

BOOST_AUTO_TEST_CASE(a_look_at_the_first_bytes_loses_none_and_may_end_the_reading) {
    const TempDir folder;
    for (const std::size_t size : {0, 1, 4095, 4096, 4097, 8192, 100000}) {
        std::string content(size, '\0');
        for (std::size_t i = 0; i < size; ++i) content[i] = static_cast<char>(i * 7 + i / 256);
        write_bytes(folder / "file", content);
        std::string seen = "not called";
        BOOST_TEST((read_file(folder / "file", [&](std::string_view start) { seen = start; }) == content));
        BOOST_TEST((seen == content.substr(0, 4096)));
    }
    expect_error(ExitCode::bad_data, "seen enough", [&] {
        read_file(folder / "file", [](std::string_view) { throw Error(ExitCode::bad_data, "seen enough"); });
    });
    expect_error(ExitCode::missing_input, "absent", [&] { read_file(folder / "absent", [](std::string_view) {}); });
}

BOOST_AUTO_TEST_CASE(free_space_of_a_folder_to_come) {
    const TempDir folder;
    BOOST_TEST(free_bytes(folder.path()) > 0u);
    BOOST_TEST(free_bytes((folder / "not") / "yet" / "there") > 0u);
}

BOOST_AUTO_TEST_CASE(folders_are_made_along_the_path) {
    const TempDir folder;
    make_folders(folder / "a" / "b" / "c/");
    BOOST_TEST(std::filesystem::is_directory(folder / "a" / "b" / "c"));
    make_folders(folder / "a" / "b");    // is there
    make_folders(".");
    make_folders("");
    write_file_durably(folder / "file", "");
    expect_error(ExitCode::io, (folder / "file").string(), [&] { make_folders(folder / "file" / "under"); });
    expect_error(ExitCode::io, (folder / "file").string(), [&] { make_folders(folder / "file"); });
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test
