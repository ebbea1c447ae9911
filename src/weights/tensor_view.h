// Where the elements of a strided tensor lie in its storage: checked without overflow, and walked in row-major order.
// Used by pth_file.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "blip/weights/weight_file.h"

namespace blip {

struct TensorView {
    std::vector<std::int64_t> shape, strides;    // strides in elements, not negative
    std::uint64_t element_bytes = 0;
    std::uint64_t begin = 0, end = 0;    // the bytes of the storage that its elements lie in
    std::uint64_t count = 0;             // elements
    bool contiguous = false;             // [begin, end) are its elements in row-major order
};

// Sets begin, end, count and contiguous. offset: elements. False if it does not lie within storage_bytes, or if it has
// more elements than any weight (2^34, which only strides of 0 reach).
bool place_in_storage(TensorView& view, std::int64_t offset, std::uint64_t storage_bytes);

// part: the storage's bytes [begin, end). Hands over the elements in row-major order, in pieces of at most 1 MiB.
void gather(const TensorView& view, std::span<const std::byte> part, const ByteSink& sink);

}    // namespace blip
