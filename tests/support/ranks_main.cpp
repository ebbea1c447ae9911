// main() of build/tests/ranks, run under mpirun: every rank runs all cases; a case counts as failed if it failed on any
// rank. Rank 0 prints the summary; what other ranks log is marked with their rank.
#include "tests/support/ranks.h"

#include <algorithm>
#include <boost/test/results_reporter.hpp>
#include <boost/test/unit_test_log.hpp>
#include <cstdio>
#include <exception>
#include <iostream>
#include <sstream>
#include <string>

#include "blip/comm/mpi/communicator.h"
#include "tests/support/outcomes.h"

namespace blip::test {
namespace {

MpiSession* the_session = nullptr;
Communicator* the_world = nullptr;

std::string as_bytes(const std::vector<Outcome>& outcomes) {
    std::string bytes;
    for (const Outcome outcome : outcomes) bytes.push_back(static_cast<char>(outcome));
    return bytes;
}

// The worst outcome of each case over the ranks. Ranks that saw another number of cases make everything fail.
std::vector<Outcome> worst_of(const std::vector<std::string>& of_ranks) {
    std::vector<Outcome> worst(of_ranks.at(0).size(), Outcome::not_run);
    for (const std::string& bytes : of_ranks)
        for (std::size_t i = 0; i < worst.size(); ++i)
            worst[i] =
                bytes.size() == worst.size() ? std::max(worst[i], static_cast<Outcome>(bytes[i])) : Outcome::failed;
    return worst;
}

// Runs everything; the exit code is the same on all ranks.
int run_on_all_ranks(int argc, char** argv) {
    CommOptions options;
    options.timeout_s = 120;    // ranks that went separate ways in a failed case meet here, below run.py's limit
    const std::unique_ptr<Communicator> for_tests = make_mpi_communicator(options);
    const std::unique_ptr<Communicator> for_summary = make_mpi_communicator(options);
    the_world = for_tests.get();
    const int rank = for_summary->rank();

    Outcomes outcomes;
    std::ostringstream log_of_rank;    // ranks other than 0: shown at the end, each line marked
    if (rank != 0) {
        boost::unit_test::unit_test_log.set_stream(log_of_rank);
        boost::unit_test::results_reporter::set_stream(log_of_rank);
    }
    const int code = run_cases(outcomes, argc, argv);
    boost::unit_test::unit_test_log.set_stream(std::cout);
    boost::unit_test::results_reporter::set_stream(std::cerr);
    std::istringstream lines(code == 0 ? std::string() : log_of_rank.str());
    for (std::string line; std::getline(lines, line);)
        if (!line.empty()) std::fprintf(stderr, "rank %d: %s\n", rank, line.c_str());
    if (rank == 0)
        for (const std::string& line : outcomes.skip_lines()) std::printf("%s\n", line.c_str());

    const auto of_ranks = for_summary->all_gather_strings(as_bytes(outcomes.in_order()), "outcomes of the test cases");
    const auto codes = for_summary->all_gather_strings(std::to_string(code), "exit codes of the tests");
    int worst_code = 0;
    for (const std::string& text : codes) worst_code = std::max(worst_code, std::stoi(text));
    const std::vector<Outcome> worst = worst_of(of_ranks);
    const int result = rank == 0 ? print_summary(worst, worst_code) : (worst_code != 0);
    for_summary->barrier("end of the tests");
    return result;
}

}    // namespace

MpiSession& session() { return *the_session; }
Communicator& world() { return *the_world; }

}    // namespace blip::test

int main(int argc, char** argv) {
    blip::MpiSession session(&argc, &argv);
    blip::test::the_session = &session;
    try {
        return blip::test::run_on_all_ranks(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "rank %d: %s\n", session.rank(), error.what());
        session.abort(1);
    }
}
