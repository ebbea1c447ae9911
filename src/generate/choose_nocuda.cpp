// The beam search's decisions on a GPU in a build without CUDA: see choose_kernel.h.
#include "blip/base/error.h"
#include "src/generate/choose_kernel.h"

namespace blip {

void launch_choose(const ChooseBody&, void*) {
    throw Error(ExitCode::internal, "a beam search on a GPU in a program built without CUDA");
}

}    // namespace blip
