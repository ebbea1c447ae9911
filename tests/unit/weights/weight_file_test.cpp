// Weight files of every form: the values come out as they were put in, in pieces, and nothing stays in memory.
#include "blip/weights/weight_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <cstring>

#include "blip/base/bus_error.h"
#include "blip/base/error.h"
#include "blip/base/process.h"
#include "tests/support/child_process.h"
#include "tests/support/paths.h"
#include "tests/unit/weights/made_files.h"

namespace blip::test {
namespace {

std::string bytes_of(const WeightFile& file, const std::string& name) {
    std::string bytes;
    file.read_bytes(name, [&](std::span<const std::byte> piece) {
        bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    });
    return bytes;
}

BOOST_AUTO_TEST_SUITE(weight_file)

// Every tensor of the reference's own checkpoints, against a reader in Python's standard library.
BOOST_AUTO_TEST_CASE(golden_checkpoints_equal_pythons_reading, *boost::unit_test::precondition(has_golden)) {
    for (const char* name : {"tiny_reference.pth", "with_optimizer.pth"}) {
        const TempDir dir;
        const Path script = repository_root() / "tests/reference/pth_to_safetensors.py";
        const std::string command = fmt::format("python3 '{}' '{}' '{}'", script.string(), golden_file(name).string(),
                                                (dir / "x.safetensors").string());
        BOOST_REQUIRE(std::system(command.c_str()) == 0);
        const auto ours = WeightFile::open(golden_file(name));
        const auto python = WeightFile::open(dir / "x.safetensors");
        BOOST_TEST(ours->tensors().size() == python->tensors().size());
        BOOST_TEST(ours->tensors().size() > 50U);
        for (const auto& [tensor, stored] : python->tensors()) {
            BOOST_REQUIRE_MESSAGE(ours->tensors().contains(tensor), tensor);
            BOOST_TEST(ours->tensors().at(tensor).dtype == stored.dtype);
            BOOST_TEST(ours->tensors().at(tensor).shape == stored.shape, boost::test_tools::per_element());
            BOOST_TEST((bytes_of(*ours, tensor) == bytes_of(*python, tensor)), tensor);
            if (stored.dtype != "F32") continue;
            const std::vector<float> values = ours->read_all(tensor);
            BOOST_TEST(values.size() == static_cast<std::size_t>(stored.element_count()));
            BOOST_TEST((std::string(reinterpret_cast<const char*>(values.data()), values.size() * 4) ==
                        bytes_of(*python, tensor)),
                       tensor);
        }
    }
}

std::string header_of(const std::string& name, const std::string& dtype, std::size_t count, std::size_t bytes) {
    return fmt::format(R"({{"{}":{{"dtype":"{}","shape":[{}],"data_offsets":[0,{}]}}}})", name, dtype, count, bytes);
}
// safetensors of one tensor with the floats 0, 1, 2 ...
std::string floats_file(const std::string& name, std::size_t count) {
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i);
    return container(header_of(name, "F32", count, 4 * count), raw(values));
}
std::string problem_of(const Path& path, ExitCode code = ExitCode::bad_data) {
    const std::string problem = problem_in([&] { WeightFile::open(path); }, code);
    expect_says(problem, path.string());
    return problem;
}

BOOST_AUTO_TEST_CASE(pieces_follow_one_another) {
    const TempDir dir;
    for (const std::size_t padding : {0U, 1U, 2U, 3U}) {    // of the header: data at every alignment
        std::vector<float> expected(700'001);
        for (std::size_t i = 0; i < expected.size(); ++i) expected[i] = static_cast<float>(i) * 0.5F;
        const std::string header = header_of("w", "F32", expected.size(), 4 * expected.size());
        write_bytes(dir / "x", container(header + std::string(8 - header.size() % 8 + padding, ' '), raw(expected)));
        const auto file = WeightFile::open(dir / "x");
        std::int64_t next = 0;
        file->read("w", [&](std::int64_t first, std::span<const float> piece) {
            BOOST_TEST(first == next);
            BOOST_TEST(piece.size() <= 1U << 20);
            BOOST_TEST(reinterpret_cast<std::uintptr_t>(piece.data()) % alignof(float) == 0U);
            next += static_cast<std::int64_t>(piece.size());
        });
        BOOST_TEST(next == 700'001);
        BOOST_TEST((file->read_all("w") == expected), "padding " << padding);
        expect_says(problem_in([&] { (void)file->read_all("absent"); }), "no tensor 'absent'");
        BOOST_TEST(bytes_of(*file, "w") == raw(expected));
    }
    write_bytes(dir / "x", container(header_of("n", "I64", 1, 8), std::string(8, '\0')));
    expect_says(problem_in([&] { (void)WeightFile::open(dir / "x")->read_all("n"); }), "holds I64");
}

BOOST_AUTO_TEST_CASE(folders_and_indices) {
    const TempDir dir;
    const auto fill = [&](const std::string& name, const std::string& content) { write_bytes(dir / name, content); };
    expect_says(problem_of(dir.path(), ExitCode::missing_input), "none of model.safetensors");
    problem_of(dir / "absent", ExitCode::missing_input);

    fill("part-1", floats_file("a", 3));
    write_zip(dir / "part-2", pth_content("\x80\x02}" + pickled("b") + pickled(MadeTensor{{6}, {1}}) + "s."));
    const std::string sound = R"({"metadata":{"total_size":36},"weight_map":{"a":"part-1","b":"part-2"}})";
    fill("pytorch_model.bin.index.json", sound);
    const auto file = WeightFile::open(dir.path());
    BOOST_TEST(file->path() == dir / "pytorch_model.bin.index.json");
    BOOST_TEST(file->tensors().size() == 2U);
    BOOST_TEST(file->stored_bytes() == 36U);
    BOOST_TEST((file->read_all("a") == std::vector<float>{0, 1, 2}));
    BOOST_TEST((file->read_all("b") == std::vector<float>{0, 1, 2, 3, 4, 5}));
    expect_says(problem_in([&] { (void)file->read_all("c"); }), "no tensor 'c'");
    // the more specific comes first
    fill("model.safetensors", floats_file("whole", 2));
    BOOST_TEST(WeightFile::open(dir.path())->tensors().contains("whole"));

    const auto index = [&](const std::string& text, ExitCode code = ExitCode::bad_data) {
        fill("index", text);
        return problem_in([&] { WeightFile::open(dir / "index"); }, code);
    };
    BOOST_TEST(index(sound) == "");    // whatever it is called
    expect_says(index(R"({"weight_map":{"a":"part-9"}})", ExitCode::missing_input), (dir / "part-9").string());
    expect_says(index(R"({"weight_map":{"c":"part-1"}})"), "no tensor 'c'");
    expect_says(index(R"({"weight_map":{"a":"../part-1"}})"), "a file beside the index is needed");
    expect_says(index(R"({"weight_map":{"a":"/etc/passwd"}})"), "a file beside the index is needed");
    expect_says(index(R"({"weight_map":{"a":".."}})"), "a file beside the index is needed");
    expect_says(index(R"({"weight_map":{"a":""}})"), "a file beside the index is needed");
    expect_says(index(R"({"weight_map":{"a":7}})"), "no file's name");
    expect_says(index(R"({"weight_map":{"a":"index"}})"), "is JSON where weights are needed");    // itself
    expect_says(index(R"({"weight_map":{"a":"part-1","a":"part-2"}})"), "'a' is there twice");
    expect_says(index(R"({"weight_map":{}})"), "no index of weights");
    expect_says(index(R"({"hidden_size":768})"), "no index of weights");
    expect_says(index("[1, 2]"), "no index of weights");
    expect_says(index("{\"weight_map\": {"), "neither weights nor an index");
    expect_says(index(std::string(1000, '[')), "nested");
    fill("part-3", floats_file("a", 4));
    write_bytes(dir / "part-1", container(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                                          R"("b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
                                          raw(std::vector<float>{1, 2})));
    expect_says(index(sound), "'b' is in two of its files, part-1 and part-2");
}

BOOST_AUTO_TEST_CASE(files_that_are_no_weights_say_what_they_are) {
    const TempDir dir;
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"", "it is empty"},
        {std::string("\x89HDF\r\n\x1a\n") + std::string(100, '\0'), "give those to --data"},
        {"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "git lfs pull"},
        {"\n <!DOCTYPE html><html>", "a web page"},
        {"<HTML><body>404", "a web page"},
        {"\x1f\x8b\x08", "a gzip file"},
        {std::string("PK\x05\x06") + std::string(18, '\0'), "an empty zip file"},
        {"\x80\x02}q.", "a bare pickle"},
        {std::string("\x80\x04\x95\x0d\0\0\0\0\0\0\0\x8a\x0al\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e", 25),
         "PyTorch's old form"},    // torch.save(..., pickle_protocol=4)
        {std::string(257, 'x') + "ustar", "a tar archive"},
        {std::string(5000, '\0'), "all zeros"},
        {"hello", "neither safetensors nor"},
        {std::string(3000, '\x07'), "neither safetensors nor"},
        {std::string("\xff\xff\xff\xff\xff\xff\xff\x7f") + "{}", "a header of"},
        {std::string("\x00\xe1\xf5\x06\0\0\0\0", 8) + "{}", "a header of 116777216 bytes"},
    };
    for (const auto& [content, expected] : cases) {
        write_bytes(dir / "weights.safetensors", content);
        expect_says(problem_of(dir / "weights.safetensors"), expected, content.substr(0, 40));
    }
    std::filesystem::create_directories(dir / "folder" / "model.safetensors");
    expect_says(problem_in([&] { WeightFile::open(dir / "folder"); }), "not a regular file");
}

// What this process has in memory now, in MiB.
double resident_mib() { return static_cast<double>(resident_bytes()) / (1 << 20); }

// As one whose disk fails would be.
BOOST_AUTO_TEST_CASE(a_file_cut_short_while_it_is_read_is_named) {
    const TempDir dir;
    write_bytes(dir / "x", floats_file("w", 700'001));
    const Ended ended = in_a_child(dir / "log", [&] {
        const auto file = WeightFile::open(dir / "x");
        install_bus_error_handler();
        std::filesystem::resize_file(dir / "x", 8192);
        (void)file->read_all("w");
    });
    BOOST_TEST(WIFEXITED(ended.status));
    BOOST_TEST(WEXITSTATUS(ended.status) == static_cast<int>(ExitCode::io));
    expect_says(ended.said, (dir / "x").string() + " cannot be read");
}

// Neither the mapped pages of safetensors nor a zip's entry gather in memory while they are read.
BOOST_AUTO_TEST_CASE(a_large_file_takes_little_memory) {
    const TempDir dir;
    constexpr std::size_t count = 50'000'000;    // 200 MB
    const std::string header = container(header_of("w", "F32", count, 4 * count), "");
    write_bytes(dir / "x.safetensors", header);
    std::filesystem::resize_file(dir / "x.safetensors", header.size() + 4 * count);    // a hole: zeros
    const MadeTensor large{{count}, {1}, 0, "FloatStorage", "0", count};
    write_zip(dir / "x.pth",
              pth_content("\x80\x02}" + pickled("w") + pickled(large) + "s.", std::string(4 * count, '\0')),
              ZIP_CM_DEFLATE);
    for (const char* name : {"x.safetensors", "x.pth"}) {
        const auto file = WeightFile::open(dir / name);
        const double before = resident_mib();
        double peak = 0, sum = 0;
        std::int64_t read = 0;
        file->read("w", [&](std::int64_t, std::span<const float> piece) {
            for (const float value : piece) sum += value;    // touches the pages
            read += static_cast<std::int64_t>(piece.size());
            peak = std::max(peak, resident_mib());
        });
        BOOST_TEST(read == static_cast<std::int64_t>(count));
        BOOST_TEST(sum == 0.0);
        BOOST_TEST(before > 0.0);
        BOOST_TEST(peak - before < 20, name << ": " << peak - before << " MiB more while reading");
        BOOST_TEST_MESSAGE(name << ": " << peak - before << " MiB more while reading");
    }
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test
