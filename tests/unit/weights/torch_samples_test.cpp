// Files that torch.save wrote (tests/reference/make_torch_samples.py): every form, and the values as Python saw them.
#include <ATen/ops/empty.h>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "blip/weights/weight_file.h"
#include "tests/support/paths.h"
#include "tests/unit/weights/made_files.h"

namespace blip::test {
namespace {

Path sample(const std::string& name) { return repository_root() / "tests/unit/weights/data" / name; }

template <class Stored>
void append_as_double(const std::string& bytes, std::vector<double>& values) {
    for (std::size_t i = 0; i + sizeof(Stored) <= bytes.size(); i += sizeof(Stored)) {
        Stored stored;
        std::memcpy(&stored, bytes.data() + i, sizeof stored);
        values.push_back(static_cast<double>(stored));
    }
}

// The stored bytes, by LibTorch's own number types.
std::vector<double> numbers(const WeightFile& file, const std::string& name) {
    std::string bytes;
    file.read_bytes(name, [&](std::span<const std::byte> piece) {
        bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    });
    const std::string& dtype = file.tensors().at(name).dtype;
    std::vector<double> values;
    if (dtype == "F32") append_as_double<float>(bytes, values);
    if (dtype == "F64") append_as_double<double>(bytes, values);
    if (dtype == "F16") append_as_double<at::Half>(bytes, values);
    if (dtype == "BF16") append_as_double<at::BFloat16>(bytes, values);
    if (dtype == "I64") append_as_double<std::int64_t>(bytes, values);
    if (dtype == "I32") append_as_double<std::int32_t>(bytes, values);
    if (dtype == "I16") append_as_double<std::int16_t>(bytes, values);
    if (dtype == "I8") append_as_double<std::int8_t>(bytes, values);
    if (dtype == "U16") append_as_double<std::uint16_t>(bytes, values);
    if (dtype == "U8" || dtype == "BOOL") append_as_double<std::uint8_t>(bytes, values);
    return values;
}

BOOST_AUTO_TEST_SUITE(torch_samples)

BOOST_AUTO_TEST_CASE(values_are_those_that_python_saw) {
    const nlohmann::json samples = read_json(sample("torch_samples.json"));
    int tensors = 0;
    for (const auto& [file_name, content] : samples.items()) {
        const auto file = WeightFile::open(sample(file_name));
        BOOST_TEST(file->tensors().size() == content.size(), file_name);
        for (const auto& [name, expected] : content.items()) {
            BOOST_TEST_CONTEXT(file_name << ": " << name) {
                BOOST_REQUIRE(file->tensors().contains(name));
                const StoredTensor& stored = file->tensors().at(name);
                BOOST_TEST(stored.dtype == expected["dtype"].get<std::string>());
                BOOST_TEST(stored.shape == expected["shape"].get<std::vector<std::int64_t>>(),
                           boost::test_tools::per_element());
                const auto values = expected["values"].get<std::vector<double>>();
                BOOST_TEST(numbers(*file, name) == values, boost::test_tools::per_element());
                ++tensors;
                if (stored.dtype[0] != 'F' && stored.dtype[0] != 'B') continue;
                if (stored.dtype == "BOOL") {
                    expect_says(problem_in([&] { (void)file->read_all(name); }), "no floating type");
                    continue;
                }
                const std::vector<float> floats = file->read_all(name);
                BOOST_REQUIRE(floats.size() == values.size());
                for (std::size_t i = 0; i < values.size(); ++i) BOOST_TEST(floats[i] == static_cast<float>(values[i]));
            }
        }
    }
    BOOST_TEST(tensors > 60);
}

// make_torch_samples.py: transposed 6, expanded 3 (to 12), permuted 24, base 60 (for five tensors), row_of_one 8
BOOST_AUTO_TEST_CASE(shared_and_repeated_values_are_stored_once) {
    BOOST_TEST(WeightFile::open(sample("strided.pth"))->stored_bytes() == 4U * (6 + 3 + 24 + 60 + 8));
}

BOOST_AUTO_TEST_CASE(what_holds_no_state_dict_is_told) {
    expect_says(problem_in([] { WeightFile::open(sample("whole_module.pth")); }),
                "an object of the class torch.nn.modules.linear.Linear");
    expect_says(problem_in([] { WeightFile::open(sample("torchscript.pth")); }), "a TorchScript program");
    expect_says(problem_in([] { WeightFile::open(sample("old_form.pth")); }), "PyTorch's old form");
}

// Whatever byte of a file is changed: the values are right, or the file is refused.
BOOST_AUTO_TEST_CASE(no_flipped_bit_goes_unseen) {
    const TempDir dir;
    const std::string whole = read_bytes(sample("strided.pth"));
    const auto expected = WeightFile::open(sample("strided.pth"))->read_all("shared_whole");
    int refused = 0, unharmed = 0, renamed = 0;
    for (std::size_t i = 0; i < whole.size(); ++i) {
        std::string flipped = whole;
        flipped[i] = static_cast<char>(flipped[i] ^ (1 << i % 8));
        write_bytes(dir / "x", flipped);
        const std::string problem = [&] {
            try {
                const auto file = WeightFile::open(dir / "x");
                if (!file->tensors().contains("shared_whole")) return ++renamed, std::string();
                BOOST_TEST((file->read_all("shared_whole") == expected), "byte " << i);
                ++unharmed;    // padding, times, flags that say nothing
            } catch (const Error& error) {
                return std::string(error.what());
            }
            return std::string();
        }();
        refused += !problem.empty();
    }
    BOOST_TEST(renamed == 0);    // the pickle has a CRC, too
    BOOST_TEST(refused > 1000);
    BOOST_TEST(refused + unharmed == static_cast<int>(whole.size()));
}

BOOST_AUTO_TEST_CASE(a_file_cut_short_is_refused) {
    const TempDir dir;
    const std::string whole = read_bytes(sample("strided.pth"));
    for (std::size_t length = 0; length < whole.size(); ++length) {
        write_bytes(dir / "x", whole.substr(0, length));
        const std::string problem = problem_in([&] { WeightFile::open(dir / "x"); });
        BOOST_TEST(!problem.empty(), "cut at " << length);
        if (length > 8) expect_says(problem, "zip directory is missing or damaged", std::to_string(length));
    }
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test
