// Folders appear whole or not at all, and only folders of known content are replaced.
#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "blip/base/durable_file.h"
#include "blip/base/durable_folder.h"
#include "blip/base/error.h"
#include "tests/support/paths.h"

namespace blip::test {
namespace {

namespace fs = std::filesystem;

std::size_t entries(const Path& folder) {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), {}));
}

}    // namespace

BOOST_AUTO_TEST_SUITE(durable_folder)

BOOST_AUTO_TEST_CASE(appears_at_commit_only) {
    const TempDir dir;
    DurableFolder folder(dir / "x");
    write_file_durably(folder.temporary_path() / "a", "1");
    BOOST_TEST(!fs::exists(dir / "x"));
    folder.commit();
    BOOST_TEST(read_file(dir / "x" / "a") == "1");
    BOOST_TEST(entries(dir.path()) == 1U);
}

BOOST_AUTO_TEST_CASE(abandoned_leaves_what_was_there) {
    const TempDir dir;
    fs::create_directory(dir / "x");
    write_file_durably(dir / "x" / "old", "1");
    {
        const DurableFolder folder(dir / "x");
        write_file_durably(folder.temporary_path() / "new", "2");
        BOOST_TEST(entries(dir.path()) == 2U);
    }
    BOOST_TEST(entries(dir.path()) == 1U);
    BOOST_TEST(read_file(dir / "x" / "old") == "1");
}

BOOST_AUTO_TEST_CASE(replaces_wholly) {
    const TempDir dir;
    for (const bool with_content : {false, true}) {
        fs::create_directories(dir / "x");
        if (with_content) write_file_durably(dir / "x" / "old", "1");
        DurableFolder folder(dir / "x");
        write_file_durably(folder.temporary_path() / "new", "2");
        folder.commit();
        BOOST_TEST(entries(dir.path()) == 1U);
        BOOST_TEST(entries(dir / "x") == 1U);
        BOOST_TEST(read_file(dir / "x" / "new") == "2");
    }
}

BOOST_AUTO_TEST_CASE(failures_name_the_folder) {
    const TempDir dir;
    const auto names_it = [](const Error& error) {
        return error.code() == ExitCode::io && std::string(error.what()).find("none/x") != std::string::npos;
    };
    BOOST_CHECK_EXCEPTION(DurableFolder(dir / "none" / "x"), Error, names_it);
    // a file took the name meanwhile
    fs::create_directory(dir / "none");
    DurableFolder folder(dir / "none" / "x");
    write_bytes(dir / "none" / "x", "file");
    BOOST_CHECK_EXCEPTION(folder.commit(), Error, names_it);
    BOOST_TEST(read_file(dir / "none" / "x") == "file");
}

BOOST_AUTO_TEST_CASE(foreign_entries) {
    const TempDir dir;
    BOOST_TEST(first_foreign_entry(dir.path(), {"a"}) == "");
    write_file_durably(dir / "a", "");
    BOOST_TEST(first_foreign_entry(dir.path(), {"a", "b"}) == "");
    BOOST_TEST(first_foreign_entry(dir.path(), {"b"}) == "a");
    fs::create_directory(dir / "b");    // the right name, but a folder, with who knows what in it
    BOOST_TEST(first_foreign_entry(dir.path(), {"a", "b"}) == "b");
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test
