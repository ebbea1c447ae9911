// See patches.h.
#include "blip/kernels/patches.h"

#include <ATen/ops/empty.h>

#include "src/kernels/launch.h"

namespace blip {

at::Tensor normalised_patches(const at::Tensor& pixels_I3SS, int patch_size, const std::array<float, 3>& mean,
                              const std::array<float, 3>& deviation, at::ScalarType type) {
    const std::int64_t pictures = pixels_I3SS.size(0), size = pixels_I3SS.size(2), side = size / patch_size;
    const at::Tensor patches =
        at::empty({pictures, side * side, 3 * patch_size * patch_size}, pixels_I3SS.options().dtype(type));
    with_type_of(patches, [&]<class Value>(Value) {
        PatchesBody<Value> body{read_from<std::uint8_t>(pixels_I3SS, patches.numel()),
                                write_to<Value>(patches, patches.numel()),
                                {},
                                {},
                                pictures,
                                static_cast<int>(size),
                                patch_size};
        for (std::size_t c = 0; c < 3; ++c) {
            body.mean[c] = mean[c];
            body.deviation[c] = deviation[c];
        }
        run(body, patches);
    });
    return patches;
}

}    // namespace blip
