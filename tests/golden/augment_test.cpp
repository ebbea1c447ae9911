// RandomAugment's operators, each sign, against what OpenCV and PIL made of the same pictures: every byte.
#include <boost/test/unit_test.hpp>

#include "blip/image/augment.h"
#include "tests/support/paths.h"
#include "tests/support/torch_safetensors.h"

namespace blip::test {
namespace {

struct NamedOperator {
    const char* name;
    SignedOperator operation;
};
// A name of the reference's has the sign of its argument.
constexpr NamedOperator named[] = {
    {"autocontrast_pil", {ImageOperator::auto_contrast, false}},
    {"equalize_pil", {ImageOperator::equalize, false}},
    {"shear_x_0.15", {ImageOperator::shear_x, false}},
    {"shear_x_-0.15", {ImageOperator::shear_x, true}},
    {"shear_y_0.15", {ImageOperator::shear_y, false}},
    {"shear_y_-0.15", {ImageOperator::shear_y, true}},
    {"translate_x_5", {ImageOperator::translate_x, false}},
    {"translate_x_-5", {ImageOperator::translate_x, true}},
    {"translate_y_5", {ImageOperator::translate_y, false}},
    {"translate_y_-5", {ImageOperator::translate_y, true}},
    {"rotate_15", {ImageOperator::rotate, false}},
    {"rotate_-15", {ImageOperator::rotate, true}},
};

// height x width x 3 bytes as planes
std::vector<std::uint8_t> planes_of(const at::Tensor& picture_HW3) {
    const at::Tensor planes = picture_HW3.permute({2, 0, 1}).contiguous();
    const auto* bytes = static_cast<const std::uint8_t*>(planes.const_data_ptr());
    return {bytes, bytes + planes.numel()};
}

void check_file(const Path& path, int least_pictures) {
    const SafetensorsFile file = SafetensorsFile::open(path);
    int pictures = 0;
    for (const auto& [name, entry] : file.entries()) {
        if (name.size() < 6 || name.substr(name.size() - 6) != ".input") continue;
        ++pictures;
        const std::string prefix = name.substr(0, name.size() - 5);
        const int height = static_cast<int>(entry.shape.at(0)), width = static_cast<int>(entry.shape.at(1));
        for (const auto& [operator_name, operation] : named) {
            BOOST_TEST_CONTEXT(prefix << operator_name) {
                std::vector<std::uint8_t> planes = planes_of(file.tensor(name));
                apply_operator(operation, height, width, planes.data());
                const std::vector<std::uint8_t> expected = planes_of(file.tensor(prefix + operator_name));
                const auto first_difference =
                    std::mismatch(planes.begin(), planes.end(), expected.begin(), expected.end()).first;
                const std::ptrdiff_t equal_bytes = first_difference - planes.begin();
                BOOST_TEST(equal_bytes == static_cast<std::ptrdiff_t>(expected.size()));
            }
        }
    }
    BOOST_TEST(pictures >= least_pictures);
}

}    // namespace

BOOST_AUTO_TEST_SUITE(augment)

BOOST_AUTO_TEST_CASE(operators_equal_the_sample) {
    check_file(repository_root() / "tests/golden/data/augment_ops_sample.safetensors", 1);
}

BOOST_AUTO_TEST_CASE(operators_equal_reference, *boost::unit_test::precondition(has_golden)) {
    check_file(golden_file("augment_ops.safetensors"), 5);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test
