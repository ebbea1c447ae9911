// Body of the keyed dropout (dropout.h). Internal to the kernels layer.
#pragma once

#include <cstddef>
#include <cstdint>

#include "blip/base/host_device.h"
#include "blip/base/philox.h"
#include "src/kernels/number.h"

namespace blip {

// What decides the mask of one site. One Philox block gives four elements; the site takes the upper bits of the counter
// (2^40 blocks are room enough).
struct DropoutSite {
    std::uint64_t key;
    std::uint64_t first_block;    // site << 40
    std::uint32_t threshold;      // an element is dropped if its word is below
    float kept;                   // factor of the others

    // Factors of the elements 4 * group to 4 * group + 3.
    BLIP_HOST_DEVICE void factors(std::int64_t group, float (&factor)[4]) const {
        std::uint32_t words[4];
        philox_words(key, first_block + static_cast<std::uint64_t>(group), words);
        for (int i = 0; i < 4; ++i) factor[i] = words[i] < threshold ? 0.0F : kept;
    }
    // Factors of the elements `first` to first + 3: of a part of two groups where first is no multiple of 4.
    BLIP_HOST_DEVICE void factors_from(std::int64_t first, float (&factor)[4]) const {
        const auto off = static_cast<int>(first % 4);
        factors(first / 4, factor);
        if (off == 0) return;
        float next[4];
        factors(first / 4 + 1, next);
        for (int shift = 0; shift < off; ++shift) {
            for (int i = 0; i < 3; ++i) factor[i] = factor[i + 1];
            factor[3] = next[0];
            for (int i = 0; i < 3; ++i) next[i] = next[i + 1];
        }
    }
    BLIP_HOST_DEVICE bool drops() const { return threshold > 0; }
};

// The elements of a row with their factors, in the blocks of four of the whole tensor [.., width] that it has a part
// in: whoever computes a block computes its masks once.
struct RowMasks {
    DropoutSite dropout;
    std::int64_t width;

    BLIP_HOST_DEVICE std::int64_t blocks(std::int64_t row) const {
        return (row * width + width + 3) / 4 - row * width / 4;
    }
    // work(column, factor) for the columns of a block; factor 1 where nothing is dropped
    template <class Work>
    BLIP_HOST_DEVICE void in_block(std::int64_t row, std::int64_t block, const Work& work) const {
        const std::int64_t first = row * width, group = first / 4 + block;
        float factor[4] = {1, 1, 1, 1};
        if (dropout.drops()) dropout.factors(group, factor);
        for (int i = 0; i < 4; ++i) {
            const std::int64_t column = 4 * group + i - first;
            if (column >= 0 && column < width) work(column, factor[i]);
        }
    }
};

// Value: float or Bf16. Products are rounded once from fp32, so that the factor of bf16 values is exact too.
template <class Value>
struct DropoutBody {
    static constexpr const char* name = "dropout";
    const Value* from;
    Value* to;
    std::int64_t elements;
    DropoutSite site;

    std::int64_t count() const { return (elements + 3) / 4; }
    // Elements 4 * group to 4 * group + 3.
    BLIP_HOST_DEVICE void operator()(std::int64_t group) const {
        float factor[4];
        site.factors(group, factor);
        for (int i = 0; i < 4; ++i) {
            const std::int64_t element = 4 * group + i;
            if (element >= elements) return;
            store(as_float(from[element]) * factor[i], to[element]);
        }
    }
    template <class See>
    void each_operand(const See& see) const {
        see(from, static_cast<std::size_t>(elements) * sizeof(Value), false);
        see(to, static_cast<std::size_t>(elements) * sizeof(Value), true);
    }
    template <class Map>
    void map_pointers(const Map& map) {
        map(from), map(to);
    }
};

}    // namespace blip
