// Batches as tensors: on the CPU, and the way of a GPU's pictures (raw pixels, table, kernels) taken on the CPU.
#include "blip/feed/batch_feed.h"

#include <boost/test/unit_test.hpp>

#include "blip/base/error.h"
#include "src/feed/device_images.h"
#include "tests/support/torch_feed_cases.h"
#include "tests/support/transform_cases.h"

namespace blip::test {

BOOST_AUTO_TEST_SUITE(batch_feed)

BOOST_AUTO_TEST_CASE(on_the_cpu_it_is_what_the_loader_gives) {
    for (const bool training : {false, true})
        for (const auto& [threads, prefetch] : {std::pair{1, 1}, {3, 4}})
            check_feed(c10::kCPU, training, threads, prefetch);
}

BOOST_AUTO_TEST_CASE(raw_pixels_transformed_by_the_kernels) {
    const FeedFile file;
    const auto on_host = [](const TransformTable& table, const std::byte* table_bytes, const std::uint8_t* pixels,
                            std::byte* workspace, std::uint8_t* output_I3SS,
                            void*) { transform_on_host(table, table_bytes, pixels, workspace, output_I3SS); };
    AugmentOptions augment;
    augment.operators = 4;
    for (const bool training : {false, true}) {
        const std::vector<Batch> expected = file.transformed(training);
        std::int64_t n = 0;
        BatchLoader loader(
            *file.data, file.data->split("train"), DataOptions{}, augment, feed_image_size, 2,
            [&]() -> std::optional<BatchRequest> {
                if (n == feed_batches) return std::nullopt;
                return feed_request(n++, training);
            },
            staging_pixels(c10::kCPU));
        DeviceImages images(c10::kCPU, on_host);
        std::vector<at::Tensor> kept;
        while (auto batch = loader.next()) {
            kept.push_back(images.transform(*batch));
            BOOST_TEST(!batch->pixels);
        }
        BOOST_REQUIRE(kept.size() == expected.size());
        for (std::size_t i = 0; i < kept.size(); ++i)
            BOOST_TEST((values_of<std::uint8_t>(kept[i]) == expected[i].images_I3SS), "batch " << i);
    }
}

BOOST_AUTO_TEST_CASE(memory_of_another_allocator_is_refused) {
    Batch batch;
    batch.image_size = 8;
    batch.pixels = std::shared_ptr<std::uint8_t[]>(new std::uint8_t[1]);
    DeviceImages images(c10::kCPU);
    BOOST_CHECK_THROW(images.transform(batch), Error);
}

BOOST_AUTO_TEST_CASE(errors_of_the_loader_are_rethrown_in_their_place) { check_errors_come_in_their_place(c10::kCPU); }

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test
