// See nccl_communicator.h.
#include "blip/comm/nccl/communicator.h"

#include "blip/base/error.h"

namespace blip {

std::unique_ptr<Communicator> make_nccl_communicator(const CommOptions&, int, void*, std::unique_ptr<Communicator>) {
    throw Error(ExitCode::missing_input,
                "this program was built without CUDA: build it with CUDA=1, or compute with --device cpu");
}

}    // namespace blip
