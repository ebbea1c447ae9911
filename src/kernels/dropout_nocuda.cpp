// The keyed dropout of a build without CUDA: see dropout_kernel.h.
#include "blip/base/error.h"
#include "src/kernels/dropout_kernel.h"

namespace blip {

namespace {
[[noreturn]] void refuse() { throw Error(ExitCode::internal, "dropout on a GPU in a program built without CUDA"); }
}    // namespace

void launch_dropout(const DropoutBody<float>&, void*) { refuse(); }
void launch_dropout(const DropoutBody<Bf16>&, void*) { refuse(); }

}    // namespace blip
