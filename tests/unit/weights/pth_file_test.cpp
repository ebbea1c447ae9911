// PyTorch's zip files: places of tensors in their storages, and every way in which such a file can be wrong.
#include "blip/weights/pth_file.h"

#include <boost/test/unit_test.hpp>
#include <limits>

#include "tests/support/paths.h"
#include "tests/unit/weights/made_files.h"

namespace blip::test {
namespace {

constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();

// The values of {'model': {'weight': tensor}} over the floats 0 to 5.
std::vector<float> values_of(const MadeTensor& tensor) {
    const TempDir dir;
    write_zip(dir / "x", pth_content(model_of(pickled(tensor))));
    return open_pth(dir / "x")->read_all("weight");
}
std::string problem_of(const ZipContent& content, int method = ZIP_CM_STORE) {
    const TempDir dir;
    write_zip(dir / "x", content, method);
    const std::string problem = problem_in([&] { open_pth(dir / "x")->read_all("weight"); });
    if (!problem.empty()) expect_says(problem, (dir / "x").string());
    return problem;
}

BOOST_AUTO_TEST_SUITE(pth_file)

BOOST_AUTO_TEST_CASE(strides_of_all_kinds) {
    using Floats = std::vector<float>;
    const auto check = [](const MadeTensor& tensor, const Floats& expected) {
        BOOST_TEST(values_of(tensor) == expected, boost::test_tools::per_element());
    };
    check({{2, 3}, {3, 1}}, {0, 1, 2, 3, 4, 5});
    check({{3, 2}, {1, 3}}, {0, 3, 1, 4, 2, 5});
    check({{2, 2}, {3, 1}, 1}, {1, 2, 4, 5});
    check({{2, 3}, {0, 2}}, {0, 2, 4, 0, 2, 4});
    check({{}, {}, 5}, {5});
    check({{3}, {2}, 1}, {1, 3, 5});
    check({{1, 1, 2}, {99, 77, 1}, 4}, {4, 5});    // strides of single rows say nothing
    check({{0, 4}, {4, 1}}, {});
    check({{0}, {largest}, 6}, {});
}

BOOST_AUTO_TEST_CASE(tensors_stay_within_their_storage) {
    const auto problem = [](const MadeTensor& tensor) { return problem_of(pth_content(model_of(pickled(tensor)))); };
    for (const MadeTensor& tensor : std::vector<MadeTensor>{
             {{7}, {1}},
             {{6}, {1}, 1},
             {{2, 3}, {4, 1}},
             {{0}, {1}, 7},
             {{1}, {1}, largest},
             {{2}, {largest}},
             {{largest, largest}, {0, 0}},
             {{3, 2}, {largest / 2, largest / 2}},
             {{std::int64_t{1} << 40}, {0}},    // in bounds, but it would take a terabyte to hand over
         }) {
        expect_says(problem(tensor), "'weight' reaches beyond the 24 bytes of its storage 'archive/data/0'");
    }
    expect_says(problem({{1}, {1}, 0, "FloatStorage", "0", 7}), "has 24 bytes, 7 of 4 bytes each are promised");
    expect_says(problem({{1}, {1}, 0, "FloatStorage", "0", largest}), "promised");
    expect_says(problem({{1}, {1}, 0, "DoubleStorage"}), "has 24 bytes, 6 of 8 bytes each");
    expect_says(problem({{1}, {1}, 0, "FloatStorage", "9"}), "no entry 'archive/data/9'");
    expect_says(problem({{1}, {1}, 0, "FloatStorage", "../../x"}), "no entry 'archive/data/../../x'");
    expect_says(problem({{1}, {1}, 0, "ComplexFloatStorage", "0", 3}), "holds ComplexFloatStorage");
    expect_says(problem({{1}, {1}, 0, "LongStorage", "0", 3}), "holds I64, which is no floating type");
}

BOOST_AUTO_TEST_CASE(wrong_containers_are_told) {
    const std::string sound = model_of(pickled(MadeTensor{{6}, {1}}));
    BOOST_TEST(problem_of(pth_content(sound)) == "");
    BOOST_TEST(problem_of(pth_content(sound), ZIP_CM_DEFLATE) == "");
    const auto with = [&](const std::string& name, const std::string& content) {
        ZipContent changed = pth_content(sound);
        changed[1] = {name, content};    // instead of its byte order
        return problem_of(changed);
    };
    BOOST_TEST(with("archive/version", "3\n") == "");
    expect_says(with("archive/byteorder", "big"), "big-endian machine");
    expect_says(with("archive/byteorder", "middle"), "'middle'");
    expect_says(with("archive/byteorder", std::string(17, 'x')), "17 bytes");
    expect_says(with("archive/constants.pkl", ""), "TorchScript");
    expect_says(with("archive/code/model.py", ""), "TorchScript");
    expect_says(with("other/data.pkl", "N."), "more than one data.pkl");
    expect_says(problem_of({{"weights.npy", "x"}}), "no data.pkl");
    expect_says(problem_of({{"data.pkl", "N."}}), "no data.pkl");
}

BOOST_AUTO_TEST_CASE(what_is_there_instead_of_weights) {
    const auto problem = [](const std::string& opcodes) { return problem_of(pth_content("\x80\x02" + opcodes + ".")); };
    const std::string tensor = pickled(MadeTensor{{6}, {1}});
    expect_says(problem("N"), "a single value");
    expect_says(problem("]"), "a list");
    expect_says(problem(tensor), "a single tensor");
    expect_says(problem("}"), "a dict without names");
    expect_says(problem("}" + pickled("epoch") + "K\x03s" + pickled("step") + "K\x04s"), "a dict of 'epoch', 'step'");
    expect_says(problem("}" + pickled("model") + global("mine", "Net") + ")Rs"),
                "its 'model' is an object of the class mine.Net");
    expect_says(problem("}" + pickled("state_dict") + "}s"), "its 'state_dict' is a dict without names");
    // both of these hold the weights
    BOOST_TEST(problem("}" + pickled("weight") + tensor + "s" + pickled("epoch") + "K\x03s") == "");
    BOOST_TEST(problem("}" + pickled("state_dict") + "}" + pickled("weight") + tensor + "ss") == "");
}

BOOST_AUTO_TEST_CASE(flipped_bits_are_seen_when_read) {
    const TempDir dir;
    for (const int method : {ZIP_CM_STORE, ZIP_CM_DEFLATE}) {
        std::vector<float> many(700'000, 1.5F);    // several pieces
        const MadeTensor all{{700'000}, {1}, 0, "FloatStorage", "0", 700'000};
        const MadeTensor few{{3}, {1}, 0, "FloatStorage", "0", 700'000};
        const std::string pickle =
            "\x80\x02}" + pickled("all") + pickled(all) + "s" + pickled("few") + pickled(few) + "s.";
        write_zip(dir / "x", pth_content(pickle, raw(many)), method);
        std::string bytes = read_bytes(dir / "x");
        BOOST_TEST((open_pth(dir / "x")->read_all("all") == many));
        const std::size_t at = bytes.size() - 1'000;
        bytes[at] = static_cast<char>(bytes[at] ^ 4);
        write_bytes(dir / "x", bytes);
        const auto file = open_pth(dir / "x");    // the directory is whole
        // also where the damage is behind what was asked for: it is one storage
        for (const char* name : {"all", "few"}) {
            expect_says(problem_in([&] { (void)file->read_all(name); }), "'archive/data/0' is damaged", name);
        }
    }
}

// The directory of a zip file can promise anything.
BOOST_AUTO_TEST_CASE(promises_of_the_directory_are_checked) {
    const TempDir dir;
    const std::string sound = model_of(pickled(MadeTensor{{6}, {1}}));
    write_zip(dir / "x", pth_content(sound));
    const std::string whole = read_bytes(dir / "x");
    // the central entry of data/0: sizes 20 (packed) and 24 (unpacked) bytes behind its beginning
    const std::size_t entry = whole.rfind("PK\x01\x02");
    BOOST_REQUIRE(entry != std::string::npos);
    const auto problem_with = [&](std::size_t offset, const std::string& field) {
        std::string changed = whole;
        changed.replace(entry + offset, field.size(), field);
        write_bytes(dir / "x", changed);
        return problem_in([&] { open_pth(dir / "x")->read_all("weight"); });
    };
    expect_says(problem_with(24, std::string("\xff\xff\xff\x7f")), "cannot hold the 2147483647 bytes");
    expect_says(problem_with(24, std::string("\x1c\0\0\0", 4)), "28 bytes");
    BOOST_TEST(problem_with(20, std::string("\xff\xff\xff\x7f")) != "");
    BOOST_TEST(problem_with(42, std::string("\xff\xff\xff\x7f")) != "");    // where it begins
    BOOST_TEST(problem_with(10, std::string("\x63\x00", 2)) != "");         // encrypted
    // a name twice, in both places of the directory
    write_zip(dir / "x", {{"archive/data.pkl", sound}, {"archive/data.pk_", sound}});
    std::string doubled = read_bytes(dir / "x");
    for (std::size_t at = 0; (at = doubled.find("data.pk_", at)) != std::string::npos;) doubled[at + 7] = 'l';
    write_bytes(dir / "x", doubled);
    expect_says(problem_in([&] { open_pth(dir / "x"); }), "'archive/data.pkl' is there twice");
}

BOOST_AUTO_TEST_CASE(absent_files_are_missing_input) {
    const TempDir dir;
    problem_in([&] { open_pth(dir / "absent"); }, ExitCode::missing_input);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test
