// Batches come in order and are the same for any number of threads; damage and the caller's errors reach next().
#include "blip/data/batch_loader.h"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "blip/base/error.h"
#include "blip/base/random.h"
#include "blip/image/augment.h"
#include "small_packed_file.h"
#include "tests/support/paths.h"

using namespace blip;
using namespace blip::test;

namespace {

constexpr int size = 16;

DataOptions prefetch(int batches) {
    DataOptions options;
    options.prefetch_batches = batches;
    return options;
}

// Batch number n of 20: three images of the train split with two captions each, the last with one.
BatchRequest request(std::int64_t n, bool training) {
    BatchRequest request;
    request.tag = n;
    for (std::int64_t k = 0; k < 3; ++k) {
        request.images.push_back((n * 5 + k * 7) % 12);
        if (training)
            request.augment_keys.push_back(random_key(1, RandomPurpose::augmentation,
                                                      {static_cast<std::uint64_t>(n), static_cast<std::uint64_t>(k)}));
    }
    request.captions = {request.images[0] * 5,         request.images[0] * 5 + 4, request.images[1] * 5 + n % 5,
                        request.images[1] * 5 + n % 3, request.images[2] * 5 + 1, no_caption};
    return request;
}

std::vector<Batch> load_all(const PackedDataset& data, int threads, int prefetched, bool training) {
    std::int64_t n = 0;
    BatchLoader loader(data, data.split("train"), prefetch(prefetched), AugmentOptions{}, size, threads,
                       [&n, training]() -> std::optional<BatchRequest> {
                           if (n == 20) return std::nullopt;
                           return request(n++, training);
                       });
    std::vector<Batch> batches;
    while (auto batch = loader.next()) batches.push_back(std::move(*batch));
    BOOST_TEST(!loader.next());    // and stays at its end
    return batches;
}

}    // namespace

BOOST_AUTO_TEST_SUITE(batch_loader)

BOOST_AUTO_TEST_CASE(batches_are_what_the_file_holds) {
    const TempDir dir;
    write_small_file(dir / "small.h5");
    const PackedDataset data = PackedDataset::open(dir / "small.h5");
    const SplitTables& split = data.split("train");
    for (const bool training : {false, true}) {
        const auto batches = load_all(data, 2, 3, training);
        BOOST_REQUIRE(batches.size() == 20U);
        for (std::size_t n = 0; n < batches.size(); ++n) {
            const Batch& batch = batches[n];
            const BatchRequest wanted = request(static_cast<std::int64_t>(n), training);
            BOOST_TEST(batch.request.tag == static_cast<std::int64_t>(n));
            BOOST_TEST(batch.image_size == size);
            std::vector<std::uint8_t> pixels(3 * size * size);
            for (std::size_t i = 0; i < wanted.images.size(); ++i) {
                const Image image = data.read_image(split, wanted.images[i]);
                const AugmentPlan plan =
                    training ? draw_training_plan(image.height, image.width, AugmentOptions{}, wanted.augment_keys[i])
                             : evaluation_plan(image.height, image.width);
                apply_plan(image, plan, size, pixels.data());
                BOOST_TEST(std::equal(pixels.begin(), pixels.end(),
                                      batch.images_I3SS.begin() + static_cast<std::ptrdiff_t>(i * pixels.size())));
            }
            int longest = 0;
            for (const auto row : wanted.captions)
                if (row != no_caption) longest = std::max(longest, split.lengths_C[static_cast<std::size_t>(row)]);
            BOOST_TEST(batch.token_count == longest);
            BOOST_TEST(batch.lengths_C.back() == 0);
            BOOST_TEST(std::all_of(batch.tokens_CT.end() - longest, batch.tokens_CT.end(),
                                   [](std::int64_t token) { return token == 0; }));
            for (std::size_t c = 0; c + 1 < wanted.captions.size(); ++c) {
                BOOST_TEST(batch.lengths_C[c] == split.lengths_C[static_cast<std::size_t>(wanted.captions[c])]);
                for (int t = 0; t < longest; ++t)
                    BOOST_TEST(batch.tokens_CT[c * static_cast<std::size_t>(longest) + static_cast<std::size_t>(t)] ==
                               split.tokens(wanted.captions[c])[t]);
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(thread_count_and_prefetch_change_nothing) {
    const TempDir dir;
    write_small_file(dir / "small.h5");
    const PackedDataset data = PackedDataset::open(dir / "small.h5");
    const auto expected = load_all(data, 1, 1, true);
    for (const auto& [threads, prefetched] : {std::pair{1, 4}, {2, 1}, {3, 2}, {8, 5}}) {
        const auto batches = load_all(data, threads, prefetched, true);
        BOOST_REQUIRE(batches.size() == expected.size());
        for (std::size_t n = 0; n < batches.size(); ++n) {
            BOOST_TEST(batches[n].request.tag == expected[n].request.tag);
            BOOST_TEST((batches[n].images_I3SS == expected[n].images_I3SS));
            BOOST_TEST((batches[n].tokens_CT == expected[n].tokens_CT));
        }
    }
}

// The raw form: applying what is left of the plans to the crops gives the transformed form.
BOOST_AUTO_TEST_CASE(raw_batches_are_the_crops_and_what_is_left_to_do) {
    const TempDir dir;
    write_small_file(dir / "small.h5");
    const PackedDataset data = PackedDataset::open(dir / "small.h5");
    for (const bool training : {false, true}) {
        const auto expected = load_all(data, 1, 1, training);
        for (const int threads : {1, 4}) {
            std::vector<std::size_t> asked;    // one thread at a time
            std::int64_t n = 0;
            BatchLoader loader(
                data, data.split("train"), prefetch(3), AugmentOptions{}, size, threads,
                [&]() -> std::optional<BatchRequest> {
                    if (n == 20) return std::nullopt;
                    return request(n++, training);
                },
                [&](std::size_t bytes) {
                    asked.push_back(bytes);
                    return std::shared_ptr<std::uint8_t[]>(new std::uint8_t[bytes]);
                });
            for (const Batch& wanted : expected) {
                const auto batch = loader.next();
                BOOST_REQUIRE(batch.has_value());
                BOOST_TEST(batch->images_I3SS.empty());
                BOOST_TEST((batch->tokens_CT == wanted.tokens_CT));
                BOOST_REQUIRE(batch->pictures_I.size() == wanted.request.images.size());
                std::size_t bytes = 0;
                std::vector<std::uint8_t> images;
                for (const PlacedPicture& picture : batch->pictures_I) {
                    BOOST_TEST(picture.offset_bytes == bytes);
                    bytes += static_cast<std::size_t>(picture.height * picture.width * 3);
                    BOOST_TEST(picture.plan.crop.height == picture.height);
                    BOOST_TEST(picture.plan.crop.width == picture.width);
                    std::vector<std::uint8_t> planes(3 * size * size);
                    apply_plan({picture.height, picture.width, batch->pixels.get() + picture.offset_bytes},
                               picture.plan, size, planes.data());
                    images.insert(images.end(), planes.begin(), planes.end());
                }
                BOOST_TEST(batch->pixel_bytes == bytes);
                BOOST_TEST((images == wanted.images_I3SS));
            }
            BOOST_TEST(!loader.next());
            BOOST_TEST(asked.size() == expected.size());
        }
    }
}

BOOST_AUTO_TEST_CASE(readiness_is_told) {
    const TempDir dir;
    write_small_file(dir / "small.h5");
    const PackedDataset data = PackedDataset::open(dir / "small.h5");
    std::atomic<bool> may_go = false;
    int n = 0;
    BatchLoader loader(data, data.split("train"), prefetch(2), AugmentOptions{}, size, 2,
                       [&]() -> std::optional<BatchRequest> {
                           while (!may_go) std::this_thread::yield();
                           if (n++ == 1) throw std::runtime_error("no more");
                           return request(0, false);
                       });
    BOOST_TEST(!loader.ready());
    may_go = true;
    const auto becomes_ready = [&] {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (!loader.ready() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
        return loader.ready();
    };
    BOOST_TEST(becomes_ready());
    BOOST_TEST(loader.next().has_value());
    BOOST_TEST(becomes_ready());    // to throw
    BOOST_CHECK_THROW(loader.next(), std::runtime_error);
    BOOST_TEST(loader.ready());
}

BOOST_AUTO_TEST_CASE(no_more_than_prefetch_batches_are_asked_for) {
    const TempDir dir;
    write_small_file(dir / "small.h5");
    const PackedDataset data = PackedDataset::open(dir / "small.h5");
    std::atomic<int> asked{0};
    BatchLoader loader(data, data.split("train"), prefetch(3), AugmentOptions{}, size, 4,
                       [&]() -> std::optional<BatchRequest> {
                           return request(asked++, false);    // without end
                       });
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    BOOST_TEST(asked == 3);
    (void)loader.next();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    BOOST_TEST(asked == 4);
}    // and the destructor ends threads with work queued

BOOST_AUTO_TEST_CASE(damaged_sample_is_named_after_the_batches_before_it) {
    const TempDir dir;
    const Path path = dir / "small.h5";
    write_small_file(path);
    const PackedDataset data = PackedDataset::open(path);
    {
        const SplitTables& split = data.split("train");
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(static_cast<std::streamoff>(split.stored_start_bytes + split.offsets_I[9]));
        file.put(static_cast<char>(noise_image(0, 9).pixels_HWC[0] ^ 1));
    }
    for (const int threads : {1, 4}) {
        std::int64_t n = 0;
        BatchLoader loader(data, data.split("train"), prefetch(4), AugmentOptions{}, size, threads,
                           [&]() -> std::optional<BatchRequest> { return request(n++, false); });
        const auto names_it = [](const Error& error) {
            return error.code() == ExitCode::bad_data &&
                   std::string(error.what()).find("image 1009 (train, row 9)") != std::string::npos;
        };
        // image 9 first appears in batch 4: 4 * 5 + 7 * 7 ... found by search, to stay right if request() changes
        std::int64_t first = 0;
        while (true) {
            const auto images = request(first, false).images;
            if (std::find(images.begin(), images.end(), 9) != images.end()) break;
            ++first;
        }
        for (std::int64_t good = 0; good < first; ++good) BOOST_TEST(loader.next()->request.tag == good);
        BOOST_CHECK_EXCEPTION(loader.next(), Error, names_it);
        BOOST_CHECK_EXCEPTION(loader.next(), Error, names_it);
    }
}

BOOST_AUTO_TEST_CASE(errors_of_the_callback_and_wrong_requests_reach_next) {
    const TempDir dir;
    write_small_file(dir / "small.h5");
    const PackedDataset data = PackedDataset::open(dir / "small.h5");
    std::int64_t n = 0;
    BatchLoader throwing(data, data.split("train"), prefetch(2), AugmentOptions{}, size, 2,
                         [&]() -> std::optional<BatchRequest> {
                             if (n == 2) throw std::runtime_error("no more");
                             return request(n++, false);
                         });
    BOOST_TEST(throwing.next().has_value());
    BOOST_TEST(throwing.next().has_value());
    BOOST_CHECK_THROW(throwing.next(), std::runtime_error);

    const auto first_next = [&](const BatchRequest& wrong) {
        BatchLoader loader(data, data.split("train"), prefetch(2), AugmentOptions{}, size, 2,
                           [&]() { return std::optional(wrong); });
        (void)loader.next();
    };
    BatchRequest wrong = request(0, false);
    wrong.images[1] = 12;    // there are 12: 0..11
    BOOST_CHECK_THROW(first_next(wrong), Error);
    wrong = request(0, false);
    wrong.captions[0] += 5;    // of another image
    BOOST_CHECK_THROW(first_next(wrong), Error);
    wrong = request(0, true);
    wrong.augment_keys.pop_back();
    BOOST_CHECK_THROW(first_next(wrong), Error);

    BatchLoader without_memory(
        data, data.split("train"), prefetch(2), AugmentOptions{}, size, 2,
        [&]() { return std::optional(request(0, true)); },
        [](std::size_t) -> std::shared_ptr<std::uint8_t[]> { throw std::bad_alloc(); });
    BOOST_CHECK_THROW(without_memory.next(), std::bad_alloc);
}

BOOST_AUTO_TEST_SUITE_END()
