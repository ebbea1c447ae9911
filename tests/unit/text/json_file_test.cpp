// Values read from JSON files: the same as nlohmann's own parser gives, without the ignored members, in linear time.
#include "blip/text/json_file.h"

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>

#include "blip/base/error.h"
#include "blip/text/image_key.h"
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

BOOST_AUTO_TEST_CASE(members_of_the_root_can_be_kept_and_are_named_in_order) {
    const JsonFile file = load_json(write(R"({"z": {"b": 1}, "drop": [{"drop": 2, "a": 3}], "a": 4, "z": 5})"),
                                    {"drop"}, "remedy", IgnoredIn::all_but_root);
    BOOST_TEST(file.root == nlohmann::json::parse(R"({"z": 5, "drop": [{"a": 3}], "a": 4})"));
    BOOST_TEST(file.root_names == (std::vector<std::string>{"z", "drop", "a", "z"}), boost::test_tools::per_element());
    BOOST_TEST(load_json(write(R"([{"a": 1}])")).root_names.empty());
}

// As Python writes them.
BOOST_AUTO_TEST_CASE(numbers_that_are_none_are_read_where_nobody_asks_for_them) {
    const JsonFile file = load_json(write(
        R"([{"p": NaN, "q": [-Infinity,Infinity], "id": 7, "caption": "NaN: NaN, \"Infinity ", "r":Infinity}, NaN])"));
    BOOST_TEST(file.root[0].at("id") == 7);
    BOOST_TEST(file.root[0].at("caption") == "NaN: NaN, \"Infinity ");
    for (const char* key : {"p", "r"}) {
        BOOST_TEST(file.root[0].at(key).is_number_float());
        BOOST_CHECK_THROW(json_key(file, file.root[0], key, "row 0"), Error);
    }
    for (const char* text : {"[1NaN]", "[-NaN]", "[NaN1]", "[NaN NaN]", "{NaN: 1}", "[+Infinity]", "[- Infinity]",
                             "[NaN\"x\"]", "[\"x\"NaN]", "NaN,", "[nan]", "[Infinity.5]"})
        BOOST_CHECK_THROW(load_json(write(text)), Error);
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
