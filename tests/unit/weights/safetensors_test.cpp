// The safetensors container: what is written is read back, and no header can make the reader crash.
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <boost/test/unit_test.hpp>
#include <cstring>

#include "blip/base/digest.h"
#include "blip/base/error.h"
#include "blip/weights/safetensors.h"
#include "tests/support/paths.h"
#include "tests/support/torch_safetensors.h"

namespace blip::test {
namespace {

// header and data as a file's bytes
std::string container(std::string header, const std::string& data) {
    const std::uint64_t length = header.size();
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &length, 8);
    return bytes + header + data;
}

// The message of the Error that opening and reading all tensors throws; empty if none.
std::string problem_of(const std::filesystem::path& path) {
    try {
        const SafetensorsFile file = SafetensorsFile::open(path);
        for (const auto& [name, entry] : file.entries()) {
            const at::Tensor tensor = file.tensor(name);
            const auto* bytes = static_cast<const unsigned char*>(tensor.const_data_ptr());
            unsigned sum = 0;    // touches every byte that the entry claims
            for (std::size_t i = 0; i < tensor.nbytes(); ++i) sum += bytes[i];
            if (sum > 255U * tensor.nbytes()) return "impossible";
        }
    } catch (const Error& error) {
        if (error.code() != ExitCode::bad_data && error.code() != ExitCode::missing_input) return "";
        return error.what();
    }
    return "";
}

BOOST_AUTO_TEST_SUITE(safetensors)

BOOST_AUTO_TEST_CASE(round_trip) {
    const TempDir dir;
    const at::Tensor bytes = at::arange(3, at::kByte), floats = at::arange(10, at::kFloat).reshape({2, 5});
    const std::vector<NamedTensor> tensors = {{"b/bytes", bytes},
                                              {"a \"quoted\" name", floats},
                                              {"empty", at::empty({0, 4}, at::kFloat)},
                                              {"scalar", at::arange(1, at::kLong).reshape({})},
                                              {"double", at::arange(4, at::kDouble)},
                                              {"half", at::arange(5, at::kHalf)},
                                              {"bf16", at::arange(3, at::kBFloat16)},
                                              {"bool", at::arange(2, at::kByte).to(at::kBool)}};
    const auto [size, digest] = write_safetensors(dir / "x.safetensors", tensors, {{"step", "7"}});
    const std::string content = read_bytes(dir / "x.safetensors");
    BOOST_TEST(size == content.size());
    BOOST_TEST(digest == digest_of(content));
    std::uint64_t header = 0;
    std::memcpy(&header, content.data(), 8);
    BOOST_TEST(header % 8 == 0U);
    const SafetensorsFile file = SafetensorsFile::open(dir / "x.safetensors");
    BOOST_TEST(file.metadata().at("step") == "7");
    BOOST_TEST(file.entries().size() == tensors.size());
    for (const NamedTensor& named : tensors) {
        const at::Tensor back = file.tensor(named.name);
        BOOST_TEST((back.scalar_type() == named.tensor.scalar_type()));
        BOOST_TEST(at::equal(back, named.tensor), named.name);
    }
    BOOST_CHECK_THROW(file.tensor("absent"), Error);
    at::Tensor outlives = SafetensorsFile::open(dir / "x.safetensors").tensor("a \"quoted\" name");
    BOOST_TEST(at::equal(outlives, floats));    // the tensor keeps the mapping
}

BOOST_AUTO_TEST_CASE(data_need_not_be_aligned) {
    const TempDir dir;
    const float value = 2.5F;
    std::string data(4, '\0');
    std::memcpy(data.data(), &value, 4);
    write_bytes(dir / "x",
                container(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} )" + std::string(1, ' '), data));
    BOOST_TEST(static_cast<const float*>(SafetensorsFile::open(dir / "x").tensor("a").const_data_ptr())[0] == 2.5F);
}

BOOST_AUTO_TEST_CASE(bad_headers_are_named) {
    const TempDir dir;
    const auto tensor = [](const char* shape, const char* offsets, const char* dtype = "F32") {
        return std::string(R"({"dtype":")") + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
    };
    const std::vector<std::pair<std::string, std::string>> cases = {
        {R"({"a":)" + tensor("[2]", "[0,4]") + "}", "its shape needs 8"},
        {R"({"a":)" + tensor("[2]", "[0,16]") + "}", "truncated"},
        {R"({"a":)" + tensor("[2]", "[8,0]") + "}", "'a' stands at"},
        {R"({"a":)" + tensor("[1]", "[4,8]") + "}", "hole"},
        {R"({"a":)" + tensor("[1]", "[0,4]") + "}", "end at byte 4 of 8"},
        {R"({"a":)" + tensor("[2]", "[0,8]") + R"(,"b":)" + tensor("[1]", "[4,8]") + "}", "overlapping"},
        {R"({"a":)" + tensor("[2]", "[0,8]") + R"(,"a":)" + tensor("[2]", "[0,8]") + "}", "twice"},
        {R"({"a":)" + tensor("[2]", "[0,8]", "F33") + "}", "unknown dtype 'F33'"},
        {R"({"a":)" + tensor("[4611686018427387904,4]", "[0,8]") + "}", "too large"},
        {R"({"a":)" + tensor("[18446744073709551615]", "[0,8]") + "}", "where a size belongs"},
        {R"({"a":)" + tensor("[-2]", "[0,8]") + "}", "where a size belongs"},
        {R"({"a":)" + tensor("[2.0]", "[0,8]") + "}", "where a size belongs"},
        {R"({"a":)" + tensor("[2]", "[0,4,8]") + "}", "two data_offsets"},
        {R"({"a":{"dtype":"F32","shape":[2]}})", "data_offsets"},
        {R"({"a":{"dtype":7,"shape":[2],"data_offsets":[0,8]}})", "no dtype"},
        {R"({"a":[1]})", "no list"},
        {R"({"__metadata__":{"x":1}})", "no text"},
        {R"({"__metadata__":[]})", "no object"},
        {"[]", "no JSON object"},
        {"{", "header"},
        {std::string(100000, '['), "nested"},
        {"{\"a\":[" +
             [] {
                 std::string many;
                 for (int i = 0; i < 2'000'000; ++i) many += "1,";
                 return many;
             }() +
             "1]}",
         "more than 2000000 values"},
        {"", "header"},
    };
    for (const auto& [header, expected] : cases) {
        write_bytes(dir / "x", container(header, std::string(8, '\1')));
        const std::string problem = problem_of(dir / "x");
        BOOST_TEST(problem.find(expected) != std::string::npos, header.substr(0, 90) << " gave: " << problem);
        BOOST_TEST(problem.find((dir / "x").string()) != std::string::npos);
    }
    write_bytes(dir / "x", std::string(8, '\xff'));
    BOOST_TEST(problem_of(dir / "x").find("a header of") != std::string::npos);
    write_bytes(dir / "x", "short");
    BOOST_TEST(problem_of(dir / "x").find("too few") != std::string::npos);
    BOOST_TEST(problem_of(dir / "absent").find("No such file") != std::string::npos);
    BOOST_TEST(problem_of(dir.path()) != "");
}

// Each truncation is refused. A flipped bit may rename a tensor, but never reaches memory that is not the file's.
BOOST_AUTO_TEST_CASE(damaged_files_never_crash) {
    const TempDir dir;
    write_safetensors(dir / "x",
                      {{"weight", at::arange(6, at::kFloat).reshape({2, 3})}, {"bias", at::arange(3, at::kLong)}},
                      {{"k", "v"}});
    const std::string whole = read_bytes(dir / "x");
    for (std::size_t length = 0; length < whole.size(); ++length) {
        write_bytes(dir / "y", whole.substr(0, length));
        BOOST_TEST(!problem_of(dir / "y").empty(), "cut at " << length);
    }
    int refused = 0;
    for (std::size_t i = 0; i < whole.size(); ++i) {
        for (int bit = 0; bit < 8; ++bit) {
            std::string flipped = whole;
            flipped[i] = static_cast<char>(flipped[i] ^ (1 << bit));
            write_bytes(dir / "y", flipped);
            refused += !problem_of(dir / "y").empty();
        }
    }
    BOOST_TEST(refused > 500);    // most of the header is structure
}

BOOST_AUTO_TEST_CASE(names_are_unique_and_folders_exist) {
    const TempDir dir;
    const at::Tensor tensor = at::arange(3, at::kFloat);
    BOOST_CHECK_THROW(write_safetensors(dir / "x", {{"a", tensor}, {"a", tensor}}, {}), Error);
    BOOST_CHECK_THROW(write_safetensors(dir / "x", {{"a", tensor.reshape({3, 1}).expand({3, 2})}}, {}), Error);
    BOOST_CHECK_EXCEPTION(write_safetensors(dir / "absent" / "x", {{"a", tensor}}, {}), Error, [&](const Error& error) {
        return error.code() == ExitCode::io &&
               std::string(error.what()).find((dir / "absent").string()) != std::string::npos;
    });
    BOOST_TEST(std::filesystem::is_empty(dir.path()));
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test
