// Keys of pictures: what is a number, what a text, and which picture of COCO a row is about.
#include "blip/text/image_key.h"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "blip/base/error.h"

namespace blip::test {
namespace {

JsonFile rows_file() { return {"rows.json", ""}; }

// The key of a row as results print it.
std::string key(const std::string& row, const std::string& path) {
    return key_of_row(rows_file(), nlohmann::json::parse(row), path, "row 0").to_json().dump();
}

}    // namespace

BOOST_AUTO_TEST_SUITE(image_key)

// the reference takes these for ids of their own: a Python dict's keys
BOOST_AUTO_TEST_CASE(rows_name_their_pictures) {
    BOOST_TEST(key(R"({"image_id": "stairs"})", "walk/a.jpg") == "\"stairs\"");
    BOOST_TEST(key(R"({"image_id": "out111.jpg"})", "a.jpg") == "\"out111.jpg\"");
    BOOST_TEST(key(R"({"image_id": "coco_7"})", "coco/7.jpg") == "\"coco_7\"");
    BOOST_TEST(key(R"({"image_id": "vg_7"})", "vg/7.jpg") == "\"vg_7\"");
    BOOST_TEST(key(R"({"image_id": "001"})", "a.jpg") == "\"001\"");
    BOOST_TEST(key(R"({"image_id": "1"})", "a.jpg") == "\"1\"");
    BOOST_TEST(key(R"({"image_id": 1.0})", "a.jpg") == "1");
    BOOST_TEST(key(R"({"image_id": -3})", "a.jpg") == "-3");
    BOOST_TEST(key(R"({"image_id": 9223372036854775813})", "a.jpg") == "9223372036854775813");
    BOOST_TEST(key(R"({"image_id": "9223372036854775813"})", "a.jpg") == "\"9223372036854775813\"");
    BOOST_TEST(key(R"({"image_id": null, "id": 5})", "a.jpg") == "5");
    BOOST_TEST(key(R"({"id": 5, "cocoid": 6})", "a.jpg") == "6");
    BOOST_TEST(key(R"({"img_id": 0})", "val/00414fa18a6a0a7f.jpg") == "0");
    BOOST_TEST(key("{}", "val/00414fa18a6a0a7f.jpg") == "\"val/00414fa18a6a0a7f\"");
    BOOST_TEST(key("{}", "a.b/c.d.jpg") == "\"a.b/c.d\"");
    BOOST_TEST(key("{}", "12.jpg") == "\"12\"");
}

BOOST_AUTO_TEST_CASE(pictures_of_coco_are_numbers) {
    BOOST_TEST(key(R"({"image_id": "coco_42"})", "train2014/COCO_train2014_000000000042.jpg") == "42");
    BOOST_TEST(key("{}", "val2014/COCO_val2014_000000391895.jpg") == "391895");
    BOOST_TEST(key("{}", "val2017/000000000139.jpg") == "139");
    BOOST_TEST(key("{}", "x/val2017/000000000139.jpg") == "139");
    BOOST_TEST(key("{}", "000000000139.jpg") == "\"000000000139\"");
    // told where it becomes two files of one key
    BOOST_TEST(key(R"({"image_id": "coco_42"})", "train2014/COCO_train2014_000000000049.jpg") == "42");
    BOOST_TEST(key(R"({"image_id": "x"})", "train2014/COCO_train2014_000000000049.jpg") == "\"x\"");
}

BOOST_AUTO_TEST_CASE(other_values_are_refused) {
    for (const char* value : {"1.5", "1e30", "\"\"", "[1]", "true", "{}", "18446744073709551616"})
        BOOST_CHECK_EXCEPTION(
            key(std::string(R"({"image_id": )") + value + "}", "a.jpg"), Error,
            [](const Error& error) { return std::string(error.what()).find("rows.json: row 0: 'image_id'") == 0; });
}

BOOST_AUTO_TEST_CASE(texts_that_were_written_out_as_numbers) {
    BOOST_TEST(key_in_text("42").is_number);
    for (const char* text : {"042", "+1", "1.0", "", "-0", "9223372036854775808", " 1"})
        BOOST_TEST(!key_in_text(text).is_number, text);
    BOOST_TEST(ImageKey(-5).seed() == static_cast<std::uint64_t>(-5));
    BOOST_TEST(ImageKey("5").seed() != 5U);
    BOOST_TEST(!ImageKey("5").number().has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test
