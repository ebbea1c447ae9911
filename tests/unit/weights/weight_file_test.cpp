// Weight files of every form: the values come out as they were put in, in pieces, and nothing stays in memory.
#include "blip/weights/weight_file.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/ones.h>
#include <fmt/format.h>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <cstring>

#include "blip/base/error.h"
#include "blip/weights/safetensors.h"
#include "tests/support/paths.h"

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

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test
