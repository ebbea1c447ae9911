// The two steps of a sum over rows (column_kernels.h) on LibTorch's tensors. Internal to the kernels layer.
#pragma once

#include <ATen/ops/empty.h>

#include <initializer_list>

#include "src/kernels/launch.h"

namespace blip {

// Of contiguous [..., W].
inline Chunks chunks_of(const at::Tensor& rows) {
    const std::int64_t width = rows.size(-1);
    return Chunks::of(rows.numel() / width, width);
}

inline at::Tensor partial_sums(const at::Tensor& rows, const Chunks& chunks, std::int64_t sums) {
    return at::empty({sums, chunks.count(), chunks.width}, rows.options().dtype(at::kFloat));
}

// into: fp32 [W] for each of partial's sums
inline void add_chunks(const at::Tensor& partial, const Chunks& chunks, std::initializer_list<at::Tensor> into) {
    AddChunksBody body{read_from<float>(partial, partial.numel()), {}, 0, chunks.count(), chunks.width};
    for (const at::Tensor& sum : into) body.into[body.sums++] = write_to<float>(sum, chunks.width);
    run(body, partial);
}

}    // namespace blip
