// Errors know their rank, host and place; log lines go where they belong.
#include <stdlib.h>

#include <boost/test/unit_test.hpp>
#include <string>

#include "blip/base/error.h"
#include "blip/base/handle.h"
#include "blip/base/log.h"
#include "tests/support/paths.h"

namespace blip::test {
namespace {

constexpr const char* launcher_variables[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID",
                                              "OMPI_COMM_WORLD_SIZE", "PMIX_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"};

// The launcher's variables as given, for one scope; those of the test's own launcher come back after it.
class Launcher {
  public:
    explicit Launcher(std::initializer_list<std::pair<const char*, const char*>> values) {
        for (const char* name : launcher_variables) {
            const char* value = ::getenv(name);
            if (value != nullptr) saved_.emplace_back(name, value);
            ::unsetenv(name);
        }
        for (const auto& [name, value] : values) ::setenv(name, value, 1);
    }
    ~Launcher() {
        for (const char* name : launcher_variables) ::unsetenv(name);
        for (const auto& [name, value] : saved_) ::setenv(name.c_str(), value.c_str(), 1);
    }

  private:
    std::vector<std::pair<std::string, std::string>> saved_;
};

std::vector<int> closed;
struct NumberTraits {
    using value_type = int;
    static int invalid() { return -1; }
    static void close(int value) noexcept { closed.push_back(value); }
};

}    // namespace

BOOST_AUTO_TEST_SUITE(errors_and_logs)

BOOST_AUTO_TEST_CASE(rank_and_size_come_from_the_launcher) {
    {
        const Launcher none({});
        BOOST_TEST(launcher_rank() == 0);
        BOOST_TEST(launcher_size() == 1);
    }
    {
        const Launcher open_mpi({{"OMPI_COMM_WORLD_RANK", "3"}, {"OMPI_COMM_WORLD_SIZE", "8"}, {"SLURM_PROCID", "0"}});
        BOOST_TEST(launcher_rank() == 3);
        BOOST_TEST(launcher_size() == 8);
    }
    {
        const Launcher slurm({{"SLURM_PROCID", "5"}, {"SLURM_STEP_NUM_TASKS", "16"}});
        BOOST_TEST(launcher_rank() == 5);
        BOOST_TEST(launcher_size() == 16);
    }
    const Launcher nonsense({{"OMPI_COMM_WORLD_RANK", "x"}, {"PMIX_RANK", "-1"}, {"PMI_RANK", "2"}});
    BOOST_TEST(launcher_rank() == 2);
    BOOST_TEST(launcher_size() == 3);
}

BOOST_AUTO_TEST_CASE(error_carries_its_origin) {
    const Launcher launcher({{"OMPI_COMM_WORLD_RANK", "2"}, {"OMPI_COMM_WORLD_SIZE", "4"}});
    const Error error(ExitCode::bad_data, "file.h5: damaged");
    BOOST_TEST(error.what() == "file.h5: damaged");
    BOOST_TEST(static_cast<int>(error.code()) == 65);
    BOOST_TEST(error.rank() == 2);
    BOOST_TEST(error.host() == host_name());
    BOOST_TEST(error.location().find("error_test.cpp:") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(no_line_of_an_error_passes_for_another_message) {
    const Error quoted(ExitCode::bad_data, "a.yaml:3: unknown character '\n'; in 'x\n12:00:00 all is well\x1b[2J'");
    BOOST_TEST(quoted.what() == "a.yaml:3: unknown character '\\u000a'; in 'x\\u000a12:00:00 all is well\\u001b[2J'");
    BOOST_TEST(Error(ExitCode::internal, "ranks:\n  0 waits").what() == "ranks:\n  0 waits");
}

BOOST_AUTO_TEST_CASE(handle_closes_once) {
    closed.clear();
    {
        Handle<NumberTraits> one(1), two(2);
        Handle<NumberTraits> moved(std::move(one));
        BOOST_TEST(!one);
        two = std::move(moved);    // closes 2
        BOOST_TEST(two.get() == 1);
        Handle<NumberTraits> released(3);
        BOOST_TEST(released.release() == 3);
    }
    const std::vector<int> expected{2, 1};
    BOOST_TEST(closed == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(log_file_gets_what_rank_0_says) {
    const TempDir folder;
    const Path path = folder / "run.log";
    static int hooks;
    hooks = 0;
    {
        const Launcher job({{"OMPI_COMM_WORLD_RANK", "0"}, {"OMPI_COMM_WORLD_SIZE", "2"}});
        init_log(0);
        add_log_file(path);
        set_before_log_line([] { ++hooks; });
        log_info("step {} of {}", 3, 10);
        log_warning("careful {{}}");
        set_before_log_line(nullptr);
        init_log(0);    // lets the file go
    }
    const std::string content = read_bytes(path);
    BOOST_TEST(content.find("step 3 of 10\n") != std::string::npos);
    BOOST_TEST(content.find(" warning: careful {}\n") != std::string::npos);
    BOOST_TEST(hooks == 2);
    const Path absent = (folder / "none") / "run.log";
    init_log(1);
    add_log_file(absent);    // other ranks write no file
    BOOST_TEST(!std::filesystem::exists(absent));
    init_log(0);
}

BOOST_AUTO_TEST_CASE(log_file_that_cannot_be_written_is_an_error) {
    const TempDir folder;
    write_bytes(folder / "file", "x");
    init_log(0);
    BOOST_CHECK_EXCEPTION(add_log_file((folder / "file") / "run.log"), Error, [](const Error& error) {
        return error.code() == ExitCode::io && std::string(error.what()).find("run.log") != std::string::npos;
    });
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test
