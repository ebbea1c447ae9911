// A mapped file that is cut short: the process that reads it ends with a code and a line, not by a signal.
#include "blip/base/bus_error.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "blip/base/error.h"
#include "tests/support/child_process.h"

namespace blip::test {
namespace {

constexpr std::size_t page = 4096;

// Three pages of a file, mapped, of which one is left.
char* map_and_cut(const std::filesystem::path& path) {
    const int fd = ::open(path.c_str(), O_RDONLY);
    void* memory = ::mmap(nullptr, 3 * page, PROT_READ, MAP_PRIVATE, fd, 0);
    ::close(fd);
    std::filesystem::resize_file(path, page);
    return static_cast<char*>(memory);
}

BOOST_AUTO_TEST_SUITE(bus_errors)

BOOST_AUTO_TEST_CASE(name_the_file_and_end_with_io) {
    const TempDir dir;
    write_bytes(dir / "weights", std::string(3 * page, 'x'));
    const Ended ended = in_a_child(dir / "log", [&] {
        char* const memory = map_and_cut(dir / "weights");
        const auto named = own_mapping(memory, 3 * page, dir / "weights");
        const volatile char* bytes = memory;
        install_bus_error_handler();
        if (bytes[0] == 'x') (void)bytes[2 * page];
    });
    BOOST_TEST(WIFEXITED(ended.status));
    BOOST_TEST(WEXITSTATUS(ended.status) == static_cast<int>(ExitCode::io));
    BOOST_TEST(ended.said.starts_with("error: rank 0 on " + host_name() + ": " + (dir / "weights").string() +
                                      " cannot be read"),
               ended.said);
}

BOOST_AUTO_TEST_CASE(elsewhere_are_what_they_were) {
    const TempDir dir;
    for (const bool gone : {false, true}) {    // never named, and named once
        write_bytes(dir / "file", std::string(3 * page, 'x'));
        const Ended ended = in_a_child(dir / "log", [&] {
            char* const before = map_and_cut(dir / "file");
            if (gone) own_mapping(before, 3 * page, dir / "file");
            const volatile char* bytes =
                map_and_cut(dir / "file");    // at the place of the one before, if that is gone
            install_bus_error_handler();
            (void)bytes[2 * page];
        });
        BOOST_TEST(WIFSIGNALED(ended.status));
        BOOST_TEST(WTERMSIG(ended.status) == SIGBUS);
        BOOST_TEST(ended.said == "");
    }
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test
