// A small program's command line: values arrive, wrong words are named.
#include <boost/test/unit_test.hpp>

#include "blip/base/error.h"
#include "blip/options/table.h"

using namespace blip;

namespace {

struct Settings {
    bool overwrite = false;
    std::filesystem::path out = "default.h5";
    std::string prompt = "a picture of ";
    std::int64_t limit = 0;
    std::vector<std::string> splits;
    std::string encoding = "raw";
    bool wants_to_run = false;
    std::string help;

    explicit Settings(const std::vector<std::string>& words) {
        OptionTable table;
        table.flag("overwrite", "replace the file", overwrite);
        table.path("out", "FILE", "the file", out);
        table.text("prompt", "TEXT", "the prompt", prompt);
        table.number("limit", "N", "images", between(0, 100), limit);
        table.choice("encoding", {"raw", "jpeg"}, "how", encoding);
        table.list("splits", "A,B", {"train", "val", "test"}, "which", splits);
        help = table.help("Does things.\n  tool --out FILE");
        wants_to_run = table.read_words(words);
        BOOST_TEST(table.given("limit") == (limit != 0));
    }
};

bool refused(const std::vector<std::string>& words, const std::string& word) {
    try {
        const Settings settings(words);
    } catch (const Error& error) {
        BOOST_TEST(std::string(error.what()).find(word) != std::string::npos, error.what());
        return error.code() == ExitCode::usage;
    }
    return false;
}

}    // namespace

BOOST_AUTO_TEST_SUITE(tool_options)

BOOST_AUTO_TEST_CASE(values_arrive) {
    const Settings none({});
    BOOST_TEST(none.wants_to_run);
    BOOST_TEST(none.out == "default.h5");
    const Settings all({"--overwrite", "--out", "x y.h5", "--limit=100", "--prompt", ""});
    BOOST_TEST(all.overwrite);
    BOOST_TEST(all.out == "x y.h5");
    BOOST_TEST(all.limit == 100);
    BOOST_TEST(all.prompt == "");
    const Settings chosen({"--encoding", "jpeg", "--splits=test,train"});
    BOOST_TEST(chosen.encoding == "jpeg");
    BOOST_TEST(chosen.splits == (std::vector<std::string>{"test", "train"}), boost::test_tools::per_element());
    BOOST_TEST(Settings({"--limit", "1", "--limit", "2"}).limit == 2);    // the last counts
}

BOOST_AUTO_TEST_CASE(help_shows_every_option_and_default) {
    const Settings settings({"--help"});
    BOOST_TEST(!settings.wants_to_run);
    for (const char* part : {"Does things.\n  tool --out FILE\n", "--overwrite", "--out FILE", "[default.h5]",
                             "--limit N", "[0; 0..100]", "[\"a picture of \"]", "--encoding raw|jpeg", "--help"})
        BOOST_TEST(settings.help.find(part) != std::string::npos, part);
}

BOOST_AUTO_TEST_CASE(wrong_words_are_named) {
    BOOST_TEST(refused({"--nonsense"}, "nonsense"));
    BOOST_TEST(refused({"--over"}, "over"));    // no guessing
    BOOST_TEST(refused({"word"}, "'word'"));
    BOOST_TEST(refused({"--limit", "101"}, "--limit: 101"));
    BOOST_TEST(refused({"--limit", "-1"}, "--limit"));
    BOOST_TEST(refused({"--limit", "ten"}, "'ten'"));
    BOOST_TEST(refused({"--limit"}, "limit"));
    BOOST_TEST(refused({"--out", ""}, "--out"));
    BOOST_TEST(refused({"--overwrite=yes"}, "overwrite"));
    BOOST_TEST(refused({"--limt", "3"}, "no option --limt; did you mean --limit?"));
    BOOST_TEST(refused({"--hlep"}, "did you mean --help?"));
    BOOST_TEST(refused({"--output", "x"}, "--output; here it is --out: the file"));
    BOOST_TEST(refused({"--encoding", "jpg"}, "'jpg' is none of raw, jpeg; did you mean jpeg?"));
    BOOST_TEST(refused({"--splits", "train,vla"}, "'vla' is none of train, val, test; did you mean val?"));
    BOOST_TEST(refused({"--splits", "train2014"}, "did you mean train?"));
    BOOST_TEST(refused({"--splits", "train,train"}, "'train' is listed twice"));
    BOOST_TEST(refused({"--splits", ""}, "''"));
    BOOST_TEST(refused({"--splits", "train,"}, "''"));
}

BOOST_AUTO_TEST_SUITE_END()
