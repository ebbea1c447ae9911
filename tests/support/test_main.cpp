// main() of the test programs of one process: unit_<layer> and golden. Its last line is the summary tests/run.py reads.
#include <cstdio>

#include "tests/support/outcomes.h"

int main(int argc, char** argv) {
    blip::test::Outcomes outcomes;
    const int code = blip::test::run_cases(outcomes, argc, argv);
    for (const std::string& line : outcomes.skip_lines()) std::printf("%s\n", line.c_str());
    return blip::test::print_summary(outcomes.in_order(), code);
}
