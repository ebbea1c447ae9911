// Element types of stored tensors, by safetensors' names ("F32", "BF16", "I64", ...), and their way to fp32. Free of
// LibTorch. Used by the readers of weight files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace blip {

// 0 for a type that is not known.
std::uint64_t element_bytes(std::string_view dtype);
// F64, F32, F16, BF16: what to_floats takes.
bool is_floating(std::string_view dtype);
// from: whole little-endian elements, aligned or not; to: as many floats. Nearest, ties to even; NaN stays NaN.
void to_floats(std::string_view dtype, std::span<const std::byte> from, std::span<float> to);

// Product of extents and element size, nullopt-like: false if it does not fit 63 bits or an extent is negative.
bool size_of_shape(const std::vector<std::int64_t>& shape, std::uint64_t bytes_each, std::uint64_t& bytes);

}    // namespace blip
