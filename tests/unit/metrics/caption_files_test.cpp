// Files of references: what is an id, in which order images come, and what is refused.
#include "blip/metrics/caption_files.h"

#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <thread>

#include "blip/base/error.h"
#include "tests/support/paths.h"
#include "tests/support/said.h"

namespace blip::test {
namespace {

Path file_of(const std::string& text) {
    static const TempDir folder;
    write_bytes(folder / "file.json", text);
    return folder / "file.json";
}

std::vector<ImageReferences> references(const std::string& text) { return read_references(file_of(text), {}); }

// "7 -5" numbers, "'a'" texts
std::string ids(const std::vector<ImageReferences>& images) {
    std::string all;
    for (const ImageReferences& image : images)
        all += (all.empty() ? "" : " ") + (image.id.is_number ? image.id.text : "'" + image.id.text + "'");
    return all;
}

std::string problem(const std::string& text) {
    try {
        references(text);
    } catch (const Error& error) {
        BOOST_TEST((error.code() == ExitCode::bad_data));
        return error.what();
    }
    return "none";
}

}    // namespace

BOOST_AUTO_TEST_SUITE(caption_files)

BOOST_AUTO_TEST_CASE(ids_stay_numbers_or_texts_as_the_file_has_them) {
    BOOST_TEST(ids(references(
                   R"({"annotations": [{"image_id": "42", "caption": "x"}, {"image_id": -5, "caption": "x"},
        {"image_id": 9223372036854775807, "caption": "x"}, {"image_id": "b.jpg", "caption": "x"}]})")) ==
               "'42' -5 9223372036854775807 'b.jpg'");
    BOOST_TEST(ids(references(
                   R"({"images": [{"id": 3}, {"id": "03"}], "annotations": [{"image_id": 3, "caption": "x"},
        {"image_id": "03", "caption": "x"}]})")) == "3 '03'");
    BOOST_TEST(ids(references(
                   R"([{"image": "a/COCO_val2014_000000000042.jpg", "caption": ["x"]},
        {"image": "99999999999999999999.jpg", "caption": ["x"]}])")) == "42 '99999999999999999999'");
}

BOOST_AUTO_TEST_CASE(ids_are_compared_by_what_they_mean) {
    const std::pair<const char*, const char*> cases[] = {
        {"42", "42"},       {"42.0", "42"},   {"42.000", "42"}, {"-5.0", "-5"},
        {"042.0", "042.0"}, {"42.5", "42.5"}, {"42.", "42"},    {".0", ".0"},
        {"1.0.0", "1.0.0"}, {"a.0", "a.0"},   {"", ""}};
    for (const auto& [id, plain] : cases) BOOST_TEST(plain_id(id) == plain);
}

BOOST_AUTO_TEST_CASE(results_are_read_from_each_form_of_rows) {
    const auto results = [](const std::string& text) {
        std::string all;
        for (const ImageResult& result : read_results(file_of(text)))
            all += "[" + result.id + "|" + result.file + "|" + result.caption + (result.further ? ", further]" : "]");
        return all;
    };
    BOOST_TEST(results(R"([{"image_id": 7, "caption": "x"}])") == "[7||x]");
    BOOST_TEST(results(R"({"7": "x", "b": ["y"]})") == "[7||x][b||y]");
    BOOST_TEST(
        results("{\"id\": \"7\", \"caption\": \"x\", \"image\": \"7.jpg\"}\n\n{\"id\": 8, \"caption\": \"y\"}\n") ==
        "[7|7.jpg|x][8||y]");
    BOOST_TEST(
        results("{\"file\": \"a.jpg\", \"error\": \"no\"}\n{\"file\": \"b.jpg\", \"caption\": \"y\", \"index\": 0}\n"
                "{\"file\": \"b.jpg\", \"caption\": \"z\", \"index\": 1}\n") == "[|b.jpg|y][|b.jpg|z, further]");
    BOOST_TEST(results(R"({"id": 7, "caption": "x"})") == "[7||x]");
}

BOOST_AUTO_TEST_CASE(keys_that_read_like_numbers_are_numbers) {
    BOOST_TEST(
        ids(references(
            R"({"007": ["x"], "7": ["x"], "-5": ["x"], "1000000000000000001": ["x"], "9223372036854775808": ["x"],
                       "-0": ["x"], "0": ["x"], "+1": ["x"], "": ["x"], "1.0": ["x"], " 2": ["x"], "a": ["x"]})")) ==
        "'007' 7 -5 1000000000000000001 '9223372036854775808' '-0' 0 '+1' '' "
        "'1.0' ' 2' 'a'");
}

BOOST_AUTO_TEST_CASE(any_name_may_be_an_id) {
    BOOST_TEST(
        ids(references(R"({"tokens": ["x"], "sentids": ["x"], "info": ["x"], "licenses": ["x"], "id": ["x"]})")) ==
        "'tokens' 'sentids' 'info' 'licenses' 'id'");
}

BOOST_AUTO_TEST_CASE(an_image_that_is_there_twice_is_named) {
    BOOST_TEST(contains(problem(R"({"8": ["x"], "7": ["zzz"], "7": ["a dog"]})"), "'7': image 7 is there twice"));
    BOOST_TEST(contains(problem(R"({"7": ["zzz"], "\u0037": ["a dog"]})"), "'7': image 7 is there twice"));
}

BOOST_AUTO_TEST_CASE(domains_are_those_of_nocaps) {
    for (const char* domain : {"\"near-domain\"", "\"Bleu_1\"", "\"images\"", "\"In-domain\"", "\"\"", "3", "null"}) {
        const auto images = references(R"({"images": [{"id": 7}, {"id": 8, "domain": )" + std::string(domain) +
                                       R"(}], "annotations": [{"image_id": 8, "caption": "x"}]})");
        BOOST_TEST(images.back().domain == (domain == std::string("\"near-domain\"") ? "near-domain" : ""), domain);
    }
}

BOOST_AUTO_TEST_CASE(text_that_is_no_utf8_is_named) {
    BOOST_TEST(contains(problem("{\"7\": [\"x\"], \"8\": [\"x\xff\"]}"), "'8': is not valid UTF-8"));
    BOOST_TEST(contains(problem("{\"7\": [\"x\"], \"8\xff\": [\"x\"]}"), "is not valid UTF-8"));
}

BOOST_AUTO_TEST_CASE(a_pipe_can_be_read) {
    const TempDir folder;
    for (const std::string text :
         {R"({"9": ["x"], "7": ["y"]})",
          R"({"annotations": [{"image_id": 9, "caption": "x"}, {"image_id": 7, "caption": "y"}]})"}) {
        const Path pipe = folder / "pipe";
        BOOST_REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
        std::thread writer([&] { write_bytes(pipe, text); });
        BOOST_TEST(ids(read_references(pipe, {})) == "9 7");
        writer.join();
        std::filesystem::remove(pipe);
    }
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test
