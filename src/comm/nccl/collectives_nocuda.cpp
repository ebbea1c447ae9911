// See collectives.h.
#include "blip/comm/nccl/collectives.h"

#include "blip/base/error.h"

namespace blip {

std::unique_ptr<Collectives> make_nccl_collectives(const CommOptions&, int, void*, HostMessages&) {
    throw Error(ExitCode::missing_input,
                "this program was built without CUDA: build it with CUDA=1, or compute with --device cpu");
}

}    // namespace blip
