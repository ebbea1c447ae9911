// See tensor_view.h.
#include "src/weights/tensor_view.h"

#include "blip/weights/element_type.h"

namespace blip {

bool place_in_storage(TensorView& view, std::int64_t offset, std::uint64_t storage_bytes) {
    constexpr std::uint64_t max_elements = std::uint64_t{1} << 34;
    if (offset < 0 || !size_of_shape(view.shape, 1, view.count) || view.count > max_elements) return false;
    std::uint64_t last = 0;    // the last element, from the first
    std::uint64_t expected = 1;
    view.contiguous = true;
    for (std::size_t i = view.shape.size(); view.count > 0 && i-- > 0;) {
        const auto extent = static_cast<std::uint64_t>(view.shape[i]);
        const auto stride = static_cast<std::uint64_t>(view.strides[i]);
        std::uint64_t reach = 0;
        if (__builtin_mul_overflow(extent - 1, stride, &reach) || __builtin_add_overflow(last, reach, &last))
            return false;
        view.contiguous = view.contiguous && (extent == 1 || stride == expected);
        expected *= extent;
    }
    std::uint64_t elements = 0;    // up to where it reaches
    if (__builtin_add_overflow(last, view.count > 0 ? 1 : 0, &elements) ||
        __builtin_add_overflow(elements, static_cast<std::uint64_t>(offset), &elements) ||
        __builtin_mul_overflow(elements, view.element_bytes, &view.end) || view.end > storage_bytes) {
        return false;
    }
    view.begin = static_cast<std::uint64_t>(offset) * view.element_bytes;
    return true;
}

void gather(const TensorView& view, std::span<const std::byte> part, const ByteSink& sink) {
    constexpr std::size_t piece_bytes = std::size_t{1} << 20;
    const std::size_t each = view.element_bytes;
    std::vector<std::byte> piece;
    piece.reserve(piece_bytes);
    std::vector<std::int64_t> index(view.shape.size(), 0);
    std::uint64_t at = 0;    // element, from the first
    for (std::uint64_t done = 0; done < view.count; ++done) {
        const std::byte* element = part.data() + at * each;
        piece.insert(piece.end(), element, element + each);
        if (piece.size() == piece_bytes) {
            sink(piece);
            piece.clear();
        }
        // counts up the index, last axis first
        for (std::size_t axis = index.size(); axis-- > 0;) {
            at += static_cast<std::uint64_t>(view.strides[axis]);
            if (++index[axis] < view.shape[axis]) break;
            at -= static_cast<std::uint64_t>(view.strides[axis]) * static_cast<std::uint64_t>(view.shape[axis]);
            index[axis] = 0;
        }
    }
    if (!piece.empty()) sink(piece);
}

}    // namespace blip
