// One item ahead: when it is made, in which order, and where errors come.
#include "src/feed/one_ahead.h"

#include <boost/test/unit_test.hpp>
#include <stdexcept>

namespace blip::test {
namespace {

// Numbers 0, 1, ... up to `last`; `broken` throws. Not ready unless told.
struct Source {
    int last = 3, broken = -1, made = 0, asked = 0;
    bool is_ready = false;
    OneAhead<int> ahead{[this] { return is_ready; }, [this] { return make(); }};

    std::optional<int> make() {
        ++asked;
        if (made > last) return std::nullopt;
        if (made == broken) throw std::runtime_error("broken");
        return made++;
    }
};

BOOST_AUTO_TEST_SUITE(one_ahead)

BOOST_AUTO_TEST_CASE(is_made_as_soon_as_somebody_looks_and_it_is_there) {
    Source source;
    BOOST_TEST(source.ahead.take().value() == 0);
    source.ahead.look_ahead();
    BOOST_TEST(source.made == 1);    // not there: nothing waits for it
    source.is_ready = true;
    source.ahead.look_ahead();
    BOOST_TEST(source.made == 2);
    source.ahead.look_ahead();
    BOOST_TEST(source.made == 2);    // one, not more
    source.is_ready = false;
    BOOST_TEST(source.ahead.take().value() == 1);
    BOOST_TEST(source.ahead.take().value() == 2);    // waited for, where it must be
    BOOST_TEST(source.made == 3);
}

BOOST_AUTO_TEST_CASE(ends_once) {
    Source source;
    source.is_ready = true;
    for (int expected = 0; expected <= source.last; ++expected) {
        BOOST_TEST(source.ahead.take().value() == expected);
        source.ahead.look_ahead();
    }
    for (int again = 0; again < 3; ++again) {
        source.ahead.look_ahead();
        BOOST_TEST(!source.ahead.take().has_value());
    }
    BOOST_TEST(source.asked == source.last + 2);
}

BOOST_AUTO_TEST_CASE(an_error_comes_in_its_place_and_stays) {
    Source source;
    source.is_ready = true;
    source.broken = 2;
    BOOST_TEST(source.ahead.take().value() == 0);
    source.ahead.look_ahead();
    BOOST_TEST(source.ahead.take().value() == 1);
    BOOST_CHECK_NO_THROW(source.ahead.look_ahead());
    for (int again = 0; again < 2; ++again) BOOST_CHECK_THROW(source.ahead.take(), std::runtime_error);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test
