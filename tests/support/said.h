// What errors say.
#pragma once

#include <boost/test/unit_test.hpp>
#include <string>

#include "blip/base/error.h"

namespace blip::test {

// The message of the Error that body throws; empty if it throws none.
template <class Body>
std::string problem_in(Body body, ExitCode expected = ExitCode::bad_data) {
    try {
        body();
    } catch (const Error& error) {
        BOOST_TEST(static_cast<int>(error.code()) == static_cast<int>(expected), error.what());
        return error.what();
    }
    return "";
}

// Tells what was said instead.
inline bool contains(const std::string& text, const std::string& part) {
    if (text.find(part) != std::string::npos) return true;
    BOOST_TEST_MESSAGE("said: " << text);
    return false;
}

}    // namespace blip::test
