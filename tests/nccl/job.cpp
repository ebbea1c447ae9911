// A small job on NCCL's collectives, with main.cpp's way to fail, for tests/faults/nccl_failures.sh. Linked against
// the fakes (nccl_job) and against the real NCCL on the fake CUDA runtime (nccl_job_real). Arguments:
//   TIMEOUT_S [absent RANK | hang RANK | data_error RANK]   that rank never comes to the second step; hangs while its
//                                                           error unwinds; throws an error of its own in mid-step
#include <fmt/format.h>

#include <chrono>
#include <string>
#include <thread>

#include "blip/base/cuda.h"
#include "blip/base/error.h"
#include "blip/base/log.h"
#include "blip/comm/mpi/communicator.h"
#include "blip/comm/mpi/session.h"
#include "blip/comm/nccl/collectives.h"

namespace {

using namespace blip;

// Stands for a destructor that waits for a device whose kernels never end.
struct SlowToDie {
    bool slow = false;
    ~SlowToDie() {
        while (slow) std::this_thread::sleep_for(std::chrono::hours(1));
    }
};

void run_job(const MpiSession& session, double timeout_s, const std::string& trouble) {
    CommOptions options;
    options.timeout_s = timeout_s;
    const int device = choose_gpu(session.local_rank(), session.local_size(), 8);
    const auto host = make_mpi_communicator(options);
    const auto comm = make_nccl_collectives(options, device, nullptr, *host);
    const std::shared_ptr<void> memory = comm->allocate(static_cast<std::size_t>(4096 * comm->size()));
    SlowToDie guard{trouble == "hang"};
    auto* arena = static_cast<float*>(memory.get());
    for (int step = 0; step < 3; ++step) {
        if (step == 1 && trouble == "absent") std::this_thread::sleep_for(std::chrono::hours(1));
        comm->wait(comm->start_reduce_scatter(arena, arena + comm->rank() * 128, 128, "bucket 7"));
        if (step == 1 && trouble == "data_error") throw Error(ExitCode::bad_data, "data.h5: picture 3 is broken");
        const GatherPart parts[] = {{arena, 512}, {arena + 128 * comm->size(), 256}};
        for (WorkPtr& work : comm->start_all_gathers(parts, "weights 7")) comm->wait(std::move(work));
        const CudaEvent end = make_order_event();
        cuda_check(cudaEventRecord(end.get(), nullptr), "record");
        comm->wait_until([&] { return cudaEventQuery(end.get()) == cudaSuccess; }, "end of a step");
    }
    comm->finish();
    guard.slow = false;
}

}    // namespace

int main(int argc, char** argv) {
    MpiSession session(&argc, &argv);
    init_log(session.rank());
    const bool mine = argc > 3 && std::stoi(argv[3]) == session.rank();
    try {
        run_job(session, std::stod(argv[1]), mine ? argv[2] : "");
        if (session.rank() == 0) fmt::print("done\n");
        return 0;
    } catch (const AgreedError& error) {
        if (session.rank() == 0) log_error_text(error.what());
        return static_cast<int>(error.code());
    } catch (const Error& error) {
        log_error_text(error.what());
        session.abort(static_cast<int>(error.code()));
    }
}
