// Values read from JSON files: the same as nlohmann's own parser gives, without the ignored members, in linear time.
#include "blip/text/json_file.h"

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <fstream>

#include "blip/base/error.h"
#include "tests/support/paths.h"

namespace blip::test {
namespace {

std::filesystem::path write(const std::string& text) {
    static const TempDir folder;
    const std::filesystem::path file = folder.path() / "file.json";
    std::ofstream(file) << text;
    return file;
}

}    // namespace

BOOST_AUTO_TEST_SUITE(json_files)

BOOST_AUTO_TEST_CASE(any_value_as_nlohmann_reads_it) {
    for (const char* text :
         {"17", "-3", "18446744073709551615", "1.5e3", "true", "null", "\"a\\u00e9\"", "[]", "{}", "[[], {}, [[1]]]",
          R"({"a": {"b": [1, {"c": null}, "d"]}, "e": 2.5, "a": [false]})", R"([{"x": 1}, {"x": [{"y": {}}]}, 3])"}) {
        BOOST_TEST(load_json(write(text)).root == nlohmann::json::parse(text), text);
        BOOST_TEST(load_json(write(text), {"absent"}).root == nlohmann::json::parse(text), text);
    }
}

BOOST_AUTO_TEST_CASE(ignored_members_are_dropped_wherever_they_are) {
    const char* text = R"({"a": 1, "drop": {"a": [1, {"drop": 2}]}, "list": [{"drop": [[]], "b": 2}, {"drop": 7}],
                           "other": {"drop": "x", "c": {"drop": {}}}, "last": {"a": 3}})";
    BOOST_TEST(load_json(write(text), {"drop", "other"}).root ==
               nlohmann::json::parse(R"({"a": 1, "list": [{"b": 2}, {}], "last": {"a": 3}})"));
}

BOOST_AUTO_TEST_CASE(malformed_files_are_named_with_line_and_column) {
    for (const char* text : {"", "{\"a\": 1,\n \"b\" 2}", "[1, 2", "[1] 2", "{\"drop\": [1, }", "nul", "[1e999]"}) {
        BOOST_CHECK_EXCEPTION(load_json(write(text), {"drop"}), Error, [](const Error& error) {
            const std::string what = error.what();
            return error.code() == ExitCode::bad_data && what.find("file.json: line ") != std::string::npos &&
                   what.find("malformed JSON: ") != std::string::npos;
        });
    }
    BOOST_CHECK_EXCEPTION(load_json(write("{\"a\": 1,\n \"b\" 2}")), Error, [](const Error& error) {
        return std::string(error.what()).find("line 2, column 6") != std::string::npos;
    });
}

// The lists of captions that people have are long.
BOOST_AUTO_TEST_CASE(time_is_linear_in_the_length_of_a_list) {
    const auto seconds = [](int rows) {
        std::string text = "{\"info\": {}, \"annotations\": [";
        for (int i = 0; i < rows; ++i) text += R"({"id": 1, "caption": "a dog"},)";
        text.back() = ']';
        const auto file = write(text + "}");
        const auto start = std::chrono::steady_clock::now();
        BOOST_TEST(load_json(file, {"info"}).root.at("annotations").size() == static_cast<std::size_t>(rows));
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    const double few = std::max(seconds(20'000), seconds(20'000)), many = std::min(seconds(200'000), seconds(200'000));
    BOOST_TEST(many < 50 * few);    // quadratic: 100
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test
