// manifest.json: all fields come back, and no changed byte is taken for valid.
#include <boost/test/unit_test.hpp>
#include <limits>

#include "blip/base/error.h"
#include "blip/checkpoint/manifest.h"
#include "tests/unit/checkpoint/toy_run.h"

namespace blip::test {
namespace {

Manifest full_manifest() {
    Manifest manifest = toy_manifest(120);
    manifest.state.seed = std::numeric_limits<std::uint64_t>::max();
    manifest.update_count = 119;
    manifest.world_size = 2;
    manifest.shards = {{"shard-00000-of-00002.safetensors", 5'000'000'000, "00000000000000aa"},
                       {"b", 0, "ffffffffffffffff"}};
    return manifest;
}

BOOST_AUTO_TEST_SUITE(manifest)

BOOST_AUTO_TEST_CASE(round_trip) {
    const Manifest then = full_manifest();
    const Manifest back = Manifest::from_json(then.to_json(), "m");
    BOOST_TEST((back.state == then.state));
    BOOST_TEST(back.update_count == 119);
    BOOST_TEST(back.world_size == 2);
    BOOST_TEST(back.threads == 3);
    BOOST_TEST((back.model == then.model));
    BOOST_TEST((back.identity == then.identity));
    BOOST_TEST(back.config == then.config);
    BOOST_REQUIRE(back.shards.size() == 2U);
    BOOST_TEST(back.shards[0].name == then.shards[0].name);
    BOOST_TEST(back.shards[0].bytes == 5'000'000'000U);
    BOOST_TEST(back.shards[1].xxh3 == "ffffffffffffffff");
    BOOST_TEST(back.to_json() == then.to_json());
}

BOOST_AUTO_TEST_CASE(every_changed_byte_is_refused) {
    const std::string whole = full_manifest().to_json();
    const auto refused = [](const std::string& text) {
        try {
            Manifest::from_json(text, "dir/manifest.json");
        } catch (const Error& error) {
            return error.code() == ExitCode::bad_data &&
                   std::string(error.what()).find("dir/manifest.json") != std::string::npos;
        }
        return false;
    };
    for (std::size_t i = 0; i < whole.size(); ++i) {
        std::string flipped = whole;
        flipped[i] = static_cast<char>(flipped[i] ^ 1);
        BOOST_TEST(refused(flipped), "byte " << i);
        BOOST_TEST(refused(whole.substr(0, i)), "cut at " << i);
    }
    BOOST_TEST(refused(whole + " "));
    BOOST_TEST(refused("{}"));
}

BOOST_AUTO_TEST_CASE(contents_that_cannot_be_are_named) {
    const auto message = [](const Manifest& manifest) -> std::string {
        try {
            Manifest::from_json(manifest.to_json(), "m");
        } catch (const Error& error) {
            return error.what();
        }
        return "";
    };
    Manifest manifest = full_manifest();
    manifest.format = 3;
    BOOST_TEST(message(manifest).find("'format' is 3; this program reads up to 2") != std::string::npos);
    manifest.format = 1;    // its weights are read
    BOOST_TEST(message(manifest) == "");
    manifest = full_manifest();
    manifest.world_size = 3;
    BOOST_TEST(message(manifest).find("'shards' lists 2 files of 3 ranks") != std::string::npos);
    manifest = full_manifest();
    manifest.shards[0].name = "../../x";
    BOOST_TEST(message(manifest).find("../../x") != std::string::npos);
    manifest = full_manifest();
    manifest.state.global_step = -1;
    BOOST_TEST(message(manifest).find("'global_step' is -1") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(identity_differences_are_listed_by_name) {
    const std::map<std::string, std::string> then = {{"seed", "1"}, {"data", "a"}, {"gone", "x"}};
    const std::map<std::string, std::string> now = {{"seed", "2"}, {"data", "a"}, {"new", "y"}};
    const std::vector<std::string> expected = {"gone: was x, now absent", "new: was absent, now y",
                                               "seed: was 1, now 2"};
    BOOST_TEST(identity_differences(then, now) == expected);
    BOOST_TEST(identity_differences(then, then).empty());
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test
