// See outcomes.h. Linked into every test program.
#include "tests/support/outcomes.h"

#include <boost/test/results_collector.hpp>
#include <boost/test/tree/traverse.hpp>
#include <boost/test/tree/visitor.hpp>
#include <cstdio>

namespace blip::test {
namespace {

namespace ut = boost::unit_test;

struct CaseLister : ut::test_tree_visitor {
    std::vector<ut::test_unit_id> ids;
    void visit(const ut::test_case& unit) override { ids.push_back(unit.p_id); }
};

std::vector<ut::test_unit_id> cases_of(const ut::test_unit& unit) {
    CaseLister lister;
    ut::traverse_test_tree(unit.p_id, lister, true);
    return lister.ids;
}

Outcomes* observed = nullptr;    // Boost's init function takes no argument

bool init_boost() {
    observed->install();
    return true;
}

}    // namespace

void Outcomes::install() {
    ut::framework::register_observer(*this);
    if (reason_to_skip_all_.empty()) return;
    ut::framework::master_test_suite().add_precondition([reason = reason_to_skip_all_](ut::test_unit_id) {
        boost::test_tools::assertion_result no(false);
        no.message() << reason;
        return no;
    });
}

void Outcomes::test_unit_finish(const ut::test_unit& unit, unsigned long) {
    if (unit.p_type != ut::TUT_CASE) return;
    const bool passed = ut::results_collector.results(unit.p_id).passed();
    outcome_of_case_[unit.p_id] = passed ? Outcome::passed : Outcome::failed;
}

void Outcomes::test_unit_skipped(const ut::test_unit& unit, ut::const_string reason) {
    std::string why(reason.begin(), reason.end());
    if (const std::string prefix = "precondition failed: "; why.starts_with(prefix)) why.erase(0, prefix.size());
    for (const ut::test_unit_id id : cases_of(unit)) {
        outcome_of_case_[id] = Outcome::skipped;
        skip_lines_.push_back("skipped: " + ut::framework::get(id, ut::TUT_CASE).full_name() + " (" + why + ")");
    }
}

std::vector<Outcome> Outcomes::in_order() const {
    std::vector<Outcome> list;
    for (const ut::test_unit_id id : cases_of(ut::framework::master_test_suite())) {
        const auto found = outcome_of_case_.find(id);
        list.push_back(found == outcome_of_case_.end() ? Outcome::not_run : found->second);
    }
    return list;
}

int run_cases(Outcomes& outcomes, int argc, char** argv) {
    observed = &outcomes;
    return ut::unit_test_main(&init_boost, argc, argv);
}

int print_summary(const std::vector<Outcome>& outcomes, int boost_code) {
    int counts[4] = {};
    for (const Outcome outcome : outcomes) ++counts[static_cast<int>(outcome)];
    int failed = counts[static_cast<int>(Outcome::failed)];
    if (failed == 0 && boost_code != 0) failed = 1;    // a fixture, or a case that Boost could not finish
    std::printf("%d passed, %d failed, %d skipped\n", counts[static_cast<int>(Outcome::passed)], failed,
                counts[static_cast<int>(Outcome::skipped)]);
    std::fflush(stdout);
    return failed == 0 ? 0 : 1;
}

}    // namespace blip::test
