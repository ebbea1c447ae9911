// Outcome of every test case of this process, for the summary lines of test_main.cpp and ranks_main.cpp.
#pragma once

#include <boost/test/tree/observer.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace blip::test {

// Ordered so that the worst of several ranks is the largest.
enum class Outcome : std::uint8_t { not_run, passed, skipped, failed };

class Outcomes : public boost::unit_test::test_observer {
  public:
    // Starts to observe; call from the init function of Boost.Test.
    void install();
    // Before run_cases: every case is skipped for this reason.
    void skip_all(std::string reason) { reason_to_skip_all_ = std::move(reason); }

    void test_unit_finish(const boost::unit_test::test_unit& unit, unsigned long microseconds) override;
    void test_unit_skipped(const boost::unit_test::test_unit& unit, boost::unit_test::const_string reason) override;
    int priority() override { return 100; }    // after Boost's own collector has its verdict

    // One value per test case in the order of declaration, the same order in every process of one program.
    std::vector<Outcome> in_order() const;
    // "skipped: suite/case (reason)", one per skipped case.
    const std::vector<std::string>& skip_lines() const { return skip_lines_; }

  private:
    std::map<boost::unit_test::test_unit_id, Outcome> outcome_of_case_;
    std::vector<std::string> skip_lines_;
    std::string reason_to_skip_all_;
};

// Runs all cases; rank 0 of one process or of many. Returns Boost's exit code.
int run_cases(Outcomes& outcomes, int argc, char** argv);

// Prints "N passed, N failed, N skipped"; returns the exit code of the program: 0 if nothing failed and Boost agrees.
int print_summary(const std::vector<Outcome>& outcomes, int boost_code);

}    // namespace blip::test
