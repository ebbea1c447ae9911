// The training and evaluation transforms of a whole batch on a GPU: the same plans, the same bytes as apply_plan gives.
// A table says what is to be done with each picture; it is made on the host and copied to the device with the pixels.
// Used by feed/batch_feed. Legend: I pictures, S side of the result.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "blip/image/augment.h"

namespace blip {

// One picture of a batch: where its pixels lie and what is to be done with them.
struct PlacedPicture {
    std::size_t offset_bytes = 0;    // of its first pixel within the batch's pixels
    int height = 0, width = 0;       // height x width x 3 bytes, as ImageView
    AugmentPlan plan;
};

struct TransformTable {
    // Throws Error(internal) for a plan whose crop is not inside its picture.
    TransformTable(std::span<const PlacedPicture> pictures, int size);

    std::size_t output_bytes() const;    // I * 3 * S * S

    std::vector<std::byte> bytes;       // to be copied to the device; 16-byte aligned there
    std::size_t workspace_bytes = 0;    // device memory needed besides, 256-byte aligned

    // What follows is for the kernels (src/image/transform_layout.h has the contents of bytes).
    // The operators that may run at once: look-ups [begin, affine_begin), affine ones [affine_begin, end).
    struct Step {
        std::int64_t begin = 0, affine_begin = 0, end = 0;
    };
    int size = 0;
    std::int64_t picture_count = 0, tile_count = 0, table_count = 0;
    std::vector<Step> steps;
    std::size_t operators_at = 0, tile_pictures_at = 0;    // in bytes, behind the pictures
    // in the workspace
    std::size_t windows_at = 0, weights_at = 0, counts_at = 0, tables_at = 0, between_at = 0, scratch_at = 0;
};

// Queues a handful of kernels on the stream (a cudaStream_t) and returns. All memory is the device's and must stay
// until the stream has passed this point: device_table holds table.bytes, pixels is what the offsets count from,
// output_I3SS has room for output_bytes(). table itself is not needed after the call. Throws Error(internal) in a
// program built without CUDA.
void queue_transform(const TransformTable& table, const std::byte* device_table, const std::uint8_t* pixels,
                     std::byte* workspace, std::uint8_t* output_I3SS, void* stream);

}    // namespace blip
