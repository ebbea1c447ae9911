// Pictures with their captions as units of training: every picture once, its captions drawn anew in each epoch.
#include "blip/data/training_units.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <map>
#include <set>

#include "blip/base/random.h"
#include "tests/unit/data/small_packed_file.h"

using namespace blip;
using namespace blip::test;

namespace {

// Pictures with 3, 0, 5, 1 and 2 captions.
SplitTables uneven_split() {
    SplitTables split;
    for (std::int64_t row = 0; const int captions : {3, 0, 5, 1, 2}) {
        add_image(split, 100 + row, 20, 20);
        for (int k = 0; k < captions; ++k)
            add_caption(split, row, {SpecialTokens::dec, 5, SpecialTokens::sep}, "a caption");
        ++row;
    }
    return split;
}

using Rows = std::vector<std::int64_t>;

}    // namespace

BOOST_AUTO_TEST_SUITE(training_units)

BOOST_AUTO_TEST_CASE(one_caption_each_is_every_caption) {
    const SplitTables split = uneven_split();
    const TrainingUnits units(split, 1, 42);
    BOOST_TEST(units.count() == 11);
    BOOST_TEST(units.pictures() == 4);
    BOOST_TEST(units.captions_of_epoch() == 11);
    for (std::int64_t c = 0; c < units.count(); ++c) {
        BOOST_TEST((units.captions(3, c) == Rows{c}));
        BOOST_TEST(units.image(c) == split.image_index_C[static_cast<std::size_t>(c)]);
    }
    const BatchRequest request = units.request({8, {4, 0}}, 3);
    BOOST_TEST(request.tag == 8);
    BOOST_TEST((request.images == Rows{2, 0}));
    BOOST_TEST((request.captions == Rows{4, 0}));
    BOOST_TEST(
        (request.augment_keys == std::vector<std::uint64_t>{random_key(42, RandomPurpose::augmentation, {3, 4}),
                                                            random_key(42, RandomPurpose::augmentation, {3, 0})}));
}

BOOST_AUTO_TEST_CASE(pictures_with_captions_are_visited_once) {
    const SplitTables split = uneven_split();
    const TrainingUnits units(split, 3, 42);
    BOOST_TEST(units.count() == 4);
    BOOST_TEST(units.captions_of_epoch() == 3 + 3 + 1 + 2);
    BOOST_TEST(units.most_captions() == 5);
    BOOST_TEST((Rows{units.image(0), units.image(1), units.image(2), units.image(3)} == Rows{0, 2, 3, 4}));
    // what a picture has, in the file's order, then empty places
    BOOST_TEST((units.captions(0, 0) == Rows{0, 1, 2}));
    BOOST_TEST((units.captions(0, 2) == Rows{8, no_caption, no_caption}));
    BOOST_TEST((units.captions(0, 3) == Rows{9, 10, no_caption}));
    const BatchRequest request = units.request({6, {2, 1}}, 7);
    BOOST_TEST(request.tag == 6);
    BOOST_TEST((request.images == Rows{3, 2}));
    BOOST_TEST(request.captions_per_image() == 3U);
    BOOST_TEST(request.captions[0] == 8);
    BOOST_TEST(request.captions[1] == no_caption);
    BOOST_TEST(request.augment_keys.size() == 2U);
}

// Of five captions three: without replacement, by seed and epoch, each as often as the others (chi-squared with 4
// degrees of freedom, bound at p = 1e-5), in each place.
BOOST_AUTO_TEST_CASE(captions_are_drawn_evenly) {
    const SplitTables split = uneven_split();
    const TrainingUnits units(split, 3, 42), other(split, 3, 43);
    std::map<std::pair<int, std::int64_t>, int> seen;    // (place, row)
    std::set<Rows> sets;
    constexpr int epochs = 3000;
    for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
        Rows rows = units.captions(epoch, 1);
        BOOST_REQUIRE(rows.size() == 3U);
        for (int place = 0; place < 3; ++place) ++seen[{place, rows[static_cast<std::size_t>(place)]}];
        std::sort(rows.begin(), rows.end());
        BOOST_TEST((std::adjacent_find(rows.begin(), rows.end()) == rows.end()));
        BOOST_TEST((rows.front() >= 3 && rows.back() <= 7));
        sets.insert(rows);
    }
    BOOST_TEST(sets.size() == 10U);    // 5 choose 3
    for (int place = 0; place < 3; ++place) {
        double chi_squared = 0;
        for (std::int64_t row = 3; row <= 7; ++row) {
            const double off = seen[{place, row}] - epochs / 5.0;
            chi_squared += off * off / (epochs / 5.0);
        }
        BOOST_TEST(chi_squared < 28.5);
    }
    BOOST_TEST((units.captions(5, 1) == TrainingUnits(split, 3, 42).captions(5, 1)));
    int equal = 0;
    for (std::int64_t epoch = 0; epoch < 100; ++epoch) equal += units.captions(epoch, 1) == other.captions(epoch, 1);
    BOOST_TEST(equal < 10);
}

BOOST_AUTO_TEST_SUITE_END()
