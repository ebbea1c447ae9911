// What of strangers' text reaches terminals and logs: all that can be read, and nothing that acts.
#include "blip/base/printable.h"

#include <boost/test/unit_test.hpp>

#include <fstream>
#include <nlohmann/json.hpp>

#include "blip/base/error.h"
#include "blip/base/log.h"
#include "tests/support/paths.h"

using namespace blip;
using namespace blip::test;

BOOST_AUTO_TEST_SUITE(printable_text)

BOOST_AUTO_TEST_CASE(what_can_be_read_stays) {
    for (const std::string text : {"a dog", "tab\there", "caf\u00e9 \u4e2d\u6587 \U0001F600", "\u00a0\u200b", ""})
        BOOST_TEST(printable_line(text) == text);
    BOOST_TEST(printable("one\n  two\nthree", LineEnds::stay) == "one\n  two\nthree");
}

BOOST_AUTO_TEST_CASE(what_acts_is_escaped) {
    const std::pair<std::string, std::string> cases[] = {
        {"\x1b[2Jgone", "\\u001b[2Jgone"},
        {"a\rb\bc\x7f", "a\\u000db\\u0008c\\u007f"},
        {std::string("a\0b", 3), "a\\u0000b"},
        {"\xc2\x9b"
         "31m",
         "\\u009b31m"},                         // CSI in one character
        {"\u202egpj.exe", "\\u202egpj.exe"},    // right to left from here on
        {"a\u2028b\u2066", "a\\u2028b\\u2066"},
        {"a\nb", "a\\u000ab"},
        {"\xff"
         "a\xc3",
         "\\xffa\\xc3"},                                                   // no UTF-8
        {"\xc0\x9b\xed\xa0\x80\xf8", "\\xc0\\x9b\\xed\\xa0\\x80\\xf8"},    // too long, half a pair, too large
        {"\xe2\x80", "\\xe2\\x80"},
    };
    for (const auto& [text, expected] : cases) BOOST_TEST(printable_line(text) == expected);
    BOOST_TEST(printable("one\n  two\n12:00:00 all is well", LineEnds::indented) ==
               "one\n  two\\u000a12:00:00 all is well");
}

BOOST_AUTO_TEST_CASE(json_keeps_its_value) {
    const nlohmann::json value = {{"caption", "a\u009b\u202e\x7f\n\x1b\"\\"}, {"n", 1}};
    const std::string line = printable_line(value.dump());
    BOOST_TEST(line.find('\x7f') == std::string::npos);
    BOOST_TEST(line.find("\u202e") == std::string::npos);
    BOOST_TEST(nlohmann::json::parse(line) == value);
}

BOOST_AUTO_TEST_CASE(errors_and_log_lines_are_printable) {
    BOOST_TEST(std::string(Error(ExitCode::io, "cannot read \x1b]0;x\x07.jpg\n  x").what()) ==
               "cannot read \\u001b]0;x\\u0007.jpg\n  x");
    const TempDir dir;
    init_log(0);
    add_log_file(dir / "log.txt");
    log_info_text("caption \x1b[1A\n12:00:00 error: none\n  but this");
    init_log(0);    // lets go of the file
    const std::string log = read_bytes(dir / "log.txt");
    BOOST_TEST(log.find("caption \\u001b[1A\\u000a12:00:00 error: none\n  but this\n") != std::string::npos, log);
}

BOOST_AUTO_TEST_CASE(foreign_names_are_cut_and_counts_have_their_plural) {
    BOOST_TEST(printable("visual_encoder.\xc3\xa9") == "visual_encoder.\xc3\xa9");
    BOOST_TEST(printable("a\x1b[31m\n") == "a\\u001b[31m\\u000a");
    BOOST_TEST(printable("\xc3(\xff\xe2\x82") == "\\xc3(\\xff\\xe2\\x82");
    BOOST_TEST(printable(std::string(100, 'x')) == std::string(100, 'x'));
    BOOST_TEST(printable(std::string(101, 'x')) == std::string(100, 'x') + "...");
    BOOST_TEST(counted(1, "rank") + counted(0, " rank") + counted(2, " rank") == "1 rank0  ranks2  ranks");
}

BOOST_AUTO_TEST_SUITE_END()
