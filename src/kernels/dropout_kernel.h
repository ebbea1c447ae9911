// Body of the keyed dropout (dropout.h). Internal to the kernels layer.
#pragma once

#include <cstdint>

#include "blip/base/host_device.h"
#include "blip/base/philox.h"
#include "src/kernels/number.h"

namespace blip {

// Which row of masks: of a caption, by its position in the global batch, and within the caption.
struct MaskRow {
    std::uint32_t caption, row;
};

// What decides the masks of one site in a micro-batch. One Philox block gives those of four adjacent columns; its
// counter is the block within the row, the row within the caption, the caption and the site. So a mask depends neither
// on the micro-batches that the captions are dealt to nor on the width of padding.
struct DropoutSite {
    std::uint64_t key = 0;
    std::uint32_t site = 0;
    std::uint32_t first_caption = 0;        // position in the global batch of the micro-batch's first
    std::uint32_t threshold = 0;            // an element is dropped if its word is below
    float kept = 1;                         // factor of the others
    std::uint32_t heads = 1, tokens = 1;    // of a caption
    std::uint32_t side_by_side = 1;         // captions: rows are [heads, side_by_side, tokens] of each so many of them

    BLIP_HOST_DEVICE bool drops() const { return threshold > 0; }
    // row: of the tensor. Rows of a caption are numbered token by token, so that longer neighbours change nothing.
    BLIP_HOST_DEVICE MaskRow row_of(std::int64_t row) const {
        const std::uint32_t of_head = side_by_side * tokens, of_group = heads * of_head;
        const auto all = static_cast<std::uint32_t>(row), own = all % of_group, place = own % of_head;
        return {first_caption + all / of_group * side_by_side + place / tokens, place % tokens * heads + own / of_head};
    }
    // Factors of the columns 4 * block to 4 * block + 3.
    BLIP_HOST_DEVICE void factors(const MaskRow& row, std::int64_t block, float (&factor)[4]) const {
        std::uint32_t words[4];
        philox_words(key, {{static_cast<std::uint32_t>(block), row.row, row.caption, site}}, words);
        for (int i = 0; i < 4; ++i) factor[i] = words[i] < threshold ? 0.0F : kept;
    }
    // work(column, factor) for the columns of a block of a row of `width`; factor 1 where nothing is dropped
    template <class Work>
    BLIP_HOST_DEVICE void in_block(const MaskRow& row, std::int64_t block, std::int64_t width, const Work& work) const {
        float factor[4] = {1, 1, 1, 1};
        if (drops()) factors(row, block, factor);
        for (int i = 0; i < 4; ++i)
            if (4 * block + i < width) work(4 * block + i, factor[i]);
    }
};
BLIP_HOST_DEVICE constexpr std::int64_t mask_blocks(std::int64_t width) { return (width + 3) / 4; }

// Value: float or Bf16. Products are rounded once from fp32, so that the factor of bf16 values is exact too.
template <class Value>
struct DropoutBody {
    static constexpr const char* name = "dropout";
    const Value* from;
    Value* to;
    std::int64_t rows, width;
    DropoutSite site;

    std::int64_t count() const { return rows * mask_blocks(width); }
    BLIP_HOST_DEVICE void operator()(std::int64_t index) const {
        const std::int64_t row = index / mask_blocks(width), first = row * width;
        site.in_block(site.row_of(row), index % mask_blocks(width), width, [&](std::int64_t column, float factor) {
            store(as_float(from[first + column]) * factor, to[first + column]);
        });
    }
};

}    // namespace blip
