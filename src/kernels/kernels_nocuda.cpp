// The kernels of a build without CUDA: see kernel_list.h.
#include "blip/base/error.h"
#include "src/kernels/kernel_list.h"

namespace blip {

template <class Body>
void launch(const Body&, void*) {
    throw Error(ExitCode::internal, std::string(Body::name) + " on a GPU in a program built without CUDA");
}

#define BLIP_REFUSED(Body) template void launch(const Body&, void*)
BLIP_KERNELS(BLIP_REFUSED);

}    // namespace blip
