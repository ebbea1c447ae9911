// Large tensors' memory: kept for those of about the same size, and never more than they took at once.
#include "blip/kernels/large_tensors.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/sum.h>

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <vector>

#include "blip/base/process_memory.h"

namespace {

std::int64_t resident() { return static_cast<std::int64_t>(blip::resident_bytes()); }
constexpr std::int64_t mib = 1 << 20;

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
    const std::int64_t before = resident();
    for (const std::int64_t size : {100, 20, 30, 45, 20, 70, 30, 21, 99, 33, 51, 17, 78, 100}) {
        const at::Tensor large = at::full({size * mib / 4}, 1.5F);
        behind.push_back(at::full({1000}, 1.0F));
        BOOST_TEST(resident() - before <= 105 * mib, "after " << size << " MiB: " << (resident() - before) / mib);
    }
}

BOOST_AUTO_TEST_CASE(tensors_of_every_size_are_aligned_and_whole) {
    for (const std::int64_t bytes : {std::int64_t{4}, 16 * mib - 4, 16 * mib, 16 * mib + 4, 40 * mib + 12}) {
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
