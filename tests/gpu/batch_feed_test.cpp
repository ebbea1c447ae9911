// BatchFeed on a GPU against the loader's own transform: every byte, in order, whatever the computation does meanwhile.
#include "blip/feed/batch_feed.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/ones.h>

#include <boost/test/unit_test.hpp>

#include "blip/base/gpu_presence.h"
#include "blip/device/device.h"
#include "tests/gpu/gpu.h"
#include "tests/support/torch_feed_cases.h"

namespace blip::test {

BOOST_AUTO_TEST_SUITE(batch_feed)

BOOST_AUTO_TEST_CASE(batches_are_what_the_loader_gives) {
    use_device(gpu);
    for (const bool training : {false, true})
        for (const auto& [threads, prefetch] : {std::pair{1, 1}, {4, 1}, {3, 4}})
            check_feed(gpu, training, threads, prefetch);
}

// Each batch is read late, behind work that keeps the computing stream busy, and then dropped at once: memory that is
// given to the next batch too early would be seen.
BOOST_AUTO_TEST_CASE(dropped_batches_are_not_overwritten_before_they_were_read) {
    use_device(gpu);
    const FeedFile file;
    const std::vector<Batch> expected = file.transformed(true);
    const std::int64_t width = gpu_name(0).starts_with("a pretended") ? 16 : 2048;
    at::Tensor busy = at::ones({width, width}, at::TensorOptions().device(gpu));
    std::vector<at::Tensor> copies;
    BatchFeed feed = file.feed(gpu, true, 4, 6);
    while (auto batch = feed.next()) {
        for (int i = 0; i < 20; ++i) busy = busy.matmul(busy) * 1e-4;
        copies.push_back(batch->images_I3SS + (busy[0][0] * 0).to(at::kByte));
    }
    BOOST_REQUIRE(copies.size() == expected.size());
    for (std::size_t n = 0; n < copies.size(); ++n)
        BOOST_TEST((values_of<std::uint8_t>(copies[n]) == expected[n].images_I3SS), "batch " << n);
}

BOOST_AUTO_TEST_CASE(errors_of_the_loader_come_in_their_place) {
    use_device(gpu);
    check_errors_come_in_their_place(gpu);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test
