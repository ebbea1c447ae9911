// Large tensors' memory: kept for those of about the same size, and never more than they took at once.
#include "blip/device/large_tensors.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/sum.h>

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <vector>

#include "blip/base/process.h"

namespace {

std::int64_t resident() { return static_cast<std::int64_t>(blip::resident_bytes()); }
constexpr std::int64_t mib = 1 << 20, large = blip::large_tensor_bytes;

struct Installed {
    Installed() {
        static const bool once = (blip::set_large_tensors_apart(), true);
        (void)once;
    }
};

}    // namespace

BOOST_FIXTURE_TEST_SUITE(large_tensors, Installed)

BOOST_AUTO_TEST_CASE(what_is_freed_serves_the_next) {
    const at::Tensor first = at::full({64 * mib / 4}, 1.5F);
    const std::int64_t before = resident();
    const void* place = at::full({50 * mib / 4}, 1.5F).data_ptr();
    BOOST_TEST(resident() - before >= 49 * mib);    // kept
    BOOST_TEST(at::empty({48 * mib / 4}).data_ptr() == place);
    BOOST_TEST(at::empty({32 * mib / 4}).data_ptr() != place);    // would waste a third of it
    blip::drop_kept_large_tensors();
    BOOST_TEST(resident() - before <= 2 * mib);
}

BOOST_AUTO_TEST_CASE(sizes_that_change_take_no_more_than_the_largest_at_once) {
    std::vector<at::Tensor> behind;    // what would keep a heap from shrinking
    blip::drop_kept_large_tensors();
    const std::int64_t before = resident();
    for (const std::int64_t size : {1300, 200, 30, 45, 200, 700, 30, 21, 1290, 330, 51, 17, 780, 1300}) {
        const at::Tensor tensor = at::full({size * mib / 40}, 1.5F);
        behind.push_back(at::full({1000}, 1.0F));
        BOOST_TEST(resident() - before <= 135 * mib, "after " << size / 10 << " MiB: " << (resident() - before) / mib);
    }
}

BOOST_AUTO_TEST_CASE(one_that_is_a_little_larger_takes_the_place_of_one_that_is_kept) {
    blip::drop_kept_large_tensors();
    const std::int64_t before = resident();
    for (std::int64_t size = 30; size <= 60; ++size) {
        const at::Tensor tensor = at::full({size * mib / 4}, 1.5F);
        BOOST_TEST(resident() - before <= (size + 2) * mib, "after " << size << ": " << (resident() - before) / mib);
        BOOST_TEST(tensor.sum().item<float>() == 1.5F * static_cast<float>(size * mib / 4));
    }
}

BOOST_AUTO_TEST_CASE(tensors_of_every_size_are_aligned_and_whole) {
    for (const std::int64_t bytes : {std::int64_t{4}, large - 4, large, large + 4, 40 * mib + 12}) {
        const at::Tensor tensor = at::full({bytes / 4}, 1, at::kInt);
        BOOST_TEST(reinterpret_cast<std::uintptr_t>(tensor.data_ptr()) % 64 == 0);
        BOOST_TEST(tensor.sum().item<std::int64_t>() == bytes / 4);
        BOOST_TEST(tensor.clone().sum().item<std::int64_t>() == bytes / 4);
    }
    BOOST_TEST(at::empty({0}).numel() == 0);
}

BOOST_AUTO_TEST_CASE(more_than_there_can_be_is_an_error) {
    BOOST_CHECK_THROW(at::empty({std::int64_t{1} << 60}), std::exception);
}

BOOST_AUTO_TEST_SUITE_END()
