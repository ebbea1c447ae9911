// A small packed file and requests on it, for the tests of BatchFeed on the CPU and on a GPU.
#pragma once

#include <ATen/core/Tensor.h>

#include <boost/test/unit_test.hpp>

#include "blip/base/random.h"
#include "blip/feed/batch_feed.h"
#include "tests/support/paths.h"
#include "tests/unit/data/small_packed_file.h"

namespace blip::test {

inline constexpr int feed_image_size = 40, feed_batches = 24;

// Batch n: training ones have five pictures, and every third has two captions of one of them; evaluation has no
// captions.
inline BatchRequest feed_request(std::int64_t n, bool training) {
    BatchRequest request;
    request.tag = n;
    for (std::int64_t k = 0; k < (training ? 5 : 3); ++k) {
        request.images.push_back((n * 5 + k * 7) % 12);
        if (!training) continue;
        request.augment_keys.push_back(
            random_key(1, RandomPurpose::augmentation, {static_cast<std::uint64_t>(n), static_cast<std::uint64_t>(k)}));
        request.captions.push_back(request.images.back() * 5 + (n + k) % 5);
        if (n % 3 == 0) request.captions.push_back(k == 2 ? no_caption : request.images.back() * 5 + (n + k + 1) % 5);
    }
    return request;
}

class FeedFile {
  public:
    FeedFile() {
        write_small_file(path());
        data = std::make_unique<PackedDataset>(PackedDataset::open(path()));
    }
    Path path() const { return dir_ / "small.h5"; }
    BatchFeed feed(c10::Device device, bool training, int threads, int prefetch) const {
        DataOptions options;
        options.prefetch_batches = prefetch;
        AugmentOptions augment;
        augment.operators = 4;
        return BatchFeed(*data, data->split("train"), options, augment, feed_image_size, threads, device,
                         [n = std::int64_t{0}, training]() mutable -> std::optional<BatchRequest> {
                             if (n == feed_batches) return std::nullopt;
                             return feed_request(n++, training);
                         });
    }
    // The batches as the loader transforms them on the CPU.
    std::vector<Batch> transformed(bool training) const {
        AugmentOptions augment;
        augment.operators = 4;
        std::int64_t n = 0;
        BatchLoader loader(*data, data->split("train"), DataOptions{}, augment, feed_image_size, 1,
                           [&]() -> std::optional<BatchRequest> {
                               if (n == feed_batches) return std::nullopt;
                               return feed_request(n++, training);
                           });
        std::vector<Batch> batches;
        while (auto batch = loader.next()) batches.push_back(std::move(*batch));
        return batches;
    }

    std::unique_ptr<PackedDataset> data;

  private:
    TempDir dir_;
};

template <class Value>
std::vector<Value> values_of(const at::Tensor& tensor) {
    const at::Tensor host = tensor.cpu().contiguous();
    const auto* values = static_cast<const Value*>(host.const_data_ptr());
    return {values, values + host.numel()};
}

// Everything a feed gives on that device is what the loader gives; the tensors are looked at after all are there, and
// after the feed is gone.
inline void check_feed(c10::Device device, bool training, int threads, int prefetch) {
    const FeedFile file;
    const std::vector<Batch> expected = file.transformed(training);
    std::vector<FedBatch> fed;
    {
        BatchFeed feed = file.feed(device, training, threads, prefetch);
        while (auto batch = feed.next()) fed.push_back(std::move(*batch));
        BOOST_TEST(!feed.next());
    }
    BOOST_REQUIRE(fed.size() == expected.size());
    for (std::size_t n = 0; n < fed.size(); ++n) {
        const BatchRequest& request = fed[n].batch.request;
        const auto images = static_cast<std::int64_t>(request.images.size());
        BOOST_TEST(request.tag == static_cast<std::int64_t>(n));
        BOOST_TEST((fed[n].batch.lengths_C == expected[n].lengths_C));
        BOOST_TEST((fed[n].batch.tokens_CT == expected[n].tokens_CT));
        BOOST_TEST((fed[n].images_I3SS.device().type() == device.type()));
        BOOST_TEST((fed[n].images_I3SS.sizes() == at::IntArrayRef{images, 3, feed_image_size, feed_image_size}));
        BOOST_TEST((values_of<std::uint8_t>(fed[n].images_I3SS) == expected[n].images_I3SS), "images of batch " << n);
        BOOST_TEST(fed[n].tokens_CT.defined() == training);
        if (!training) continue;
        BOOST_TEST((values_of<std::int64_t>(fed[n].tokens_CT) == expected[n].tokens_CT));
    }
}

// What the loader throws comes behind the batches before it, and again at every further call.
inline void check_errors_come_in_their_place(c10::Device device) {
    const FeedFile file;
    int n = 0;
    BatchFeed feed(*file.data, file.data->split("train"), DataOptions{}, AugmentOptions{}, feed_image_size, 2, device,
                   [&]() -> std::optional<BatchRequest> {
                       if (n == 2) throw std::runtime_error("no more");
                       return feed_request(n++, true);
                   });
    BOOST_TEST(feed.next().has_value());
    BOOST_TEST(feed.next().has_value());
    BOOST_CHECK_THROW(feed.next(), std::runtime_error);
    BOOST_CHECK_THROW(feed.next(), std::runtime_error);
}

}    // namespace blip::test
