// The transform that a GPU computes, its kernels run on the host, against apply_plan: every byte.
#include "blip/image/device_transform.h"

#include "blip/base/error.h"
#include "tests/support/transform_cases.h"

namespace blip::test {
namespace {

std::vector<std::uint8_t> on_host(const TransformTable& table, const std::vector<std::uint8_t>& pixels) {
    // what was there before must not matter
    std::vector<std::byte> workspace(table.workspace_bytes, std::byte{0xA5});
    std::vector<std::uint8_t> output(table.output_bytes(), 0x5A);
    transform_on_host(table, table.bytes.data(), pixels.data(), workspace.data(), output.data());
    return output;
}

}    // namespace

BOOST_AUTO_TEST_SUITE(device_transform)

BOOST_AUTO_TEST_CASE(sizes_and_crops) { check_sizes_and_crops(on_host); }
BOOST_AUTO_TEST_CASE(every_operator_and_every_chain_of_two) { check_operators(on_host); }
BOOST_AUTO_TEST_CASE(drawn_plans) { check_drawn_plans(on_host); }
BOOST_AUTO_TEST_CASE(real_pictures, *boost::unit_test::precondition(has_coco)) { check_real_pictures(on_host); }
BOOST_AUTO_TEST_CASE(an_empty_batch_is_no_work) { check_batch({}, 16, on_host); }

BOOST_AUTO_TEST_CASE(crops_outside_are_refused) {
    const std::vector<PlacedPicture> pictures{{0, 10, 12, {Box{0, 0, 11, 12}, false, {}}}};
    BOOST_CHECK_THROW(TransformTable(pictures, 8), Error);
}

// This program is built without CUDA.
BOOST_AUTO_TEST_CASE(without_cuda_it_is_refused) {
    const TransformTable table({}, 8);
    BOOST_CHECK_EXCEPTION(
        queue_transform(table, nullptr, nullptr, nullptr, nullptr, nullptr), Error,
        [](const Error& error) { return std::string(error.what()).find("without CUDA") != std::string::npos; });
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test
