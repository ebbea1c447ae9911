// See nccl/collectives.h.

#include "blip/base/error.h"
#include "blip/comm/nccl/collectives.h"

namespace blip {

int choose_gpu(int local_rank, int local_size, int visible) {
    if (visible == 1) return 0;
    if (local_size > visible)
        throw Error(ExitCode::missing_input,
                    "rank {} on {}: {} ranks on this host see {} GPUs; start as many ranks on a host as it "
                    "has GPUs (mpirun --map-by ppr:{}:node), or ask the batch system for more GPUs",
                    launcher_rank(), host_name(), local_size, visible, visible);
    return local_rank;
}

}    // namespace blip
