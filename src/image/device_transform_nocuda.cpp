// The transform on a GPU in a program built without CUDA: refused. See device_transform.h.
#include "blip/base/error.h"
#include "blip/image/device_transform.h"

namespace blip {

void queue_transform(const TransformTable&, const std::byte*, const std::uint8_t*, std::byte*, std::uint8_t*, void*) {
    throw Error(ExitCode::internal, "pictures cannot be transformed on a GPU: this program was built without CUDA");
}

}    // namespace blip
