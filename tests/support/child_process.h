// A part of a test in a process of its own: what ends a process, or how it ends, can be tested there.
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <functional>
#include <string>

#include "tests/support/paths.h"

namespace blip::test {

struct Ended {
    int status = 0;      // waitpid's
    std::string said;    // on stderr
};

// stderr goes into the file log. Bus errors have no handler there, neither Boost's nor one of tests before; a body that
// returns ends with 0, one that does not return in 30 s by a signal.
inline Ended in_a_child(const std::filesystem::path& log, const std::function<void()>& body) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::dup2(::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
        std::signal(SIGBUS, SIG_DFL);
        ::alarm(30);
        body();
        ::_exit(0);
    }
    Ended ended;
    BOOST_REQUIRE(::waitpid(child, &ended.status, 0) == child);
    ended.said = read_bytes(log);
    return ended;
}

}    // namespace blip::test
