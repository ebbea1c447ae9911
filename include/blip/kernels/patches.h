// Normalised pixels in patches, for the image encoder's first product, in one kernel. Used by model on GPUs; on the CPU
// it runs as a reference for tests. Legend: I pictures, S size, p patch size, P = S / p.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>

namespace blip {

// pixels: uint8 [I, 3, S, S], 0..255. Returns [I, P * P, 3 * p * p] of the type (fp32 or bf16), channel-major inside a
// patch: (pixel / 255 - mean) / deviation of its channel, in fp32 and rounded once.
at::Tensor normalised_patches(const at::Tensor& pixels_I3SS, int patch_size, const std::array<float, 3>& mean,
                              const std::array<float, 3>& deviation, at::ScalarType type);

}    // namespace blip
