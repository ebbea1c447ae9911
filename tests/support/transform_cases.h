// Batches whose transform must be apply_plan's, byte for byte: the kernels run on the host (unit tests) and on the
// device (tests/gpu) see the same ones.
#pragma once

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <functional>

#include "blip/base/random.h"
#include "blip/image/picture.h"
#include "src/image/augment_kernels.h"
#include "tests/support/paths.h"
#include "tests/unit/image/pictures.h"

namespace blip::test {

// As queue_transform, at once, on the host. Indices run backwards: a body must not depend on the order.
inline void transform_on_host(const TransformTable& table, const std::byte* host_table, const std::uint8_t* pixels,
                              std::byte* workspace, std::uint8_t* output_I3SS) {
    run_transform(table, host_table, pixels, workspace, output_I3SS,
                  [](const auto& body, std::int64_t count, const char*) {
                      for (std::int64_t i = count; i-- > 0;) body(i);
                  });
}

// Pictures laid one after the other, with gaps, as a batch's pixels are.
struct PlacedBatch {
    std::vector<std::uint8_t> pixels;
    std::vector<PlacedPicture> pictures;

    void add(const Image& image, AugmentPlan plan) {
        pixels.resize(pixels.size() + pictures.size() % 5, 0xEE);
        pictures.push_back({pixels.size(), image.height, image.width, std::move(plan)});
        pixels.insert(pixels.end(), image.pixels_HWC.begin(), image.pixels_HWC.end());
    }
};

// The pictures of a batch, transformed.
using Transform =
    std::function<std::vector<std::uint8_t>(const TransformTable&, const std::vector<std::uint8_t>& pixels)>;

inline void check_batch(const PlacedBatch& batch, int size, const Transform& transform) {
    const TransformTable table(batch.pictures, size);
    const std::size_t bytes = 3 * static_cast<std::size_t>(size) * static_cast<std::size_t>(size);
    BOOST_REQUIRE(table.output_bytes() == batch.pictures.size() * bytes);
    const std::vector<std::uint8_t> output = transform(table, batch.pixels);
    BOOST_REQUIRE(output.size() == table.output_bytes());
    std::vector<std::uint8_t> expected(bytes);
    for (std::size_t i = 0; i < batch.pictures.size(); ++i) {
        const PlacedPicture& picture = batch.pictures[i];
        const ImageView view(picture.height, picture.width, batch.pixels.data() + picture.offset_bytes);
        apply_plan(view, picture.plan, size, expected.data());
        const Box& box = picture.plan.crop;
        BOOST_TEST(
            (std::equal(expected.begin(), expected.end(), output.begin() + static_cast<std::ptrdiff_t>(i * bytes))),
            "picture " << i << " of " << picture.height << "x" << picture.width << ", crop " << box.height << "x"
                       << box.width << " to " << size);
    }
}

inline std::vector<SignedOperator> every_operator() {
    std::vector<SignedOperator> operators;
    for (int kind = 0; kind < image_operator_count; ++kind)
        for (const bool negative : {false, true}) operators.push_back({static_cast<ImageOperator>(kind), negative});
    return operators;
}

// Larger and smaller than the result, one pixel wide, right in one direction, portrait (rows first) and landscape.
inline void check_sizes_and_crops(const Transform& transform) {
    constexpr std::pair<int, int> sizes[] = {{1, 1},   {1, 40},  {40, 1},  {2, 3},   {24, 24}, {24, 50}, {50, 24},
                                             {24, 10}, {10, 24}, {90, 30}, {30, 90}, {61, 47}, {12, 13}, {160, 40}};
    for (const int size : {1, 7, 24, 33}) {
        PlacedBatch batch;
        int n = 0;
        for (const auto& [height, width] : sizes) {
            const Image image = picture(height, width);
            batch.add(image, evaluation_plan(height, width));
            const Box crop{height / 4, width / 3, height - height / 3, width - width / 3};
            batch.add(image, {crop, n++ % 2 == 0, {}});
        }
        check_batch(batch, size, transform);
    }
}

inline void check_operators(const Transform& transform) {
    const Image image = picture(30, 41);
    PlacedBatch singles, chains;
    for (const SignedOperator& first : every_operator()) {
        singles.add(image, {Box{2, 3, 25, 33}, first.negative, {first}});
        for (const SignedOperator& second : every_operator())
            chains.add(image, {Box{1, 1, 28, 28}, !second.negative, {first, second}});
    }
    check_batch(singles, 29, transform);
    check_batch(chains, 20, transform);
}

inline void check_drawn_plans(const Transform& transform) {
    AugmentOptions options;
    for (const int operators : {0, 2, 5}) {
        options.operators = operators;
        PlacedBatch batch;
        for (std::uint64_t i = 0; i < 60; ++i) {
            const std::uint64_t key =
                random_key(11, RandomPurpose::augmentation, {static_cast<std::uint64_t>(operators), i});
            RandomStream stream(key ^ 1);
            const int height = 1 + static_cast<int>(stream.below(90)), width = 1 + static_cast<int>(stream.below(90));
            batch.add(picture(height, width), draw_training_plan(height, width, options, key));
        }
        check_batch(batch, 32, transform);
    }
}

inline void check_real_pictures(const Transform& transform) {
    PlacedBatch squashed, augmented;
    std::vector<Path> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(*coco_dir()))
        if (entry.path().extension() == ".jpg") files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    BOOST_REQUIRE(!files.empty());
    AugmentOptions options;
    options.operators = 3;
    const std::size_t step = std::max<std::size_t>(files.size() / 12, 1);
    for (std::size_t i = 0; i < files.size(); i += step) {
        const Image image = decode_picture_file(files[i]);
        const std::uint64_t key = random_key(12, RandomPurpose::augmentation, {i});
        squashed.add(image, evaluation_plan(image.height, image.width));
        augmented.add(image, draw_training_plan(image.height, image.width, options, key));
    }
    check_batch(squashed, 224, transform);
    check_batch(augmented, 384, transform);
}

}    // namespace blip::test
