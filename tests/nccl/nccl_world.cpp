// See nccl_world.h.
#include "tests/nccl/nccl_world.h"

#include <dlfcn.h>

#include <cstdlib>

#include "blip/base/cuda.h"
#include "blip/base/gpu_presence.h"
#include "tests/support/ranks.h"

namespace blip::test {
namespace {

bool on_fakes() { return ::dlsym(RTLD_DEFAULT, "blip_fake_cudart") != nullptr; }

int device_of_rank() {
    const int visible = on_fakes() ? 8 : find_gpus().count, local = session().local_rank();
    if (visible < session().local_size()) {
        // NCCL refuses two ranks of one host on one GPU.
        ::setenv("NCCL_HOSTID", ("rank" + std::to_string(local)).c_str(), 0);
        return local % visible;
    }
    return choose_gpu(local, session().local_size(), visible);
}

std::unique_ptr<Collectives> shared;

// Before MPI and CUDA end.
struct EndOfTests {
    void teardown() {
        if (shared) shared->finish();
        shared.reset();
    }
};
BOOST_TEST_GLOBAL_FIXTURE(EndOfTests);

}    // namespace

boost::test_tools::assertion_result has_device(boost::unit_test::test_unit_id) {
    const GpuPresence gpus = on_fakes() ? GpuPresence{1, ""} : find_gpus();
    boost::test_tools::assertion_result result(gpus.count > 0);
    result.message() << "no GPU: " << gpus.reason;
    return result;
}

std::unique_ptr<Collectives> make_nccl_world(const CommOptions& options) {
    return make_nccl_collectives(options, device_of_rank(), nullptr, world());
}

Collectives& nccl_world() {
    CommOptions options;
    options.timeout_s = 60;
    if (!shared) shared = make_nccl_world(options);
    return *shared;
}

void upload(float* device, const std::vector<float>& values) {
    cuda_check(cudaMemcpyAsync(device, values.data(), values.size() * sizeof(float), cudaMemcpyHostToDevice, nullptr),
               "upload");
}

void download(std::vector<float>& values, const float* device) {
    cuda_check(cudaMemcpyAsync(values.data(), device, values.size() * sizeof(float), cudaMemcpyDeviceToHost, nullptr),
               "download");
}

void finish_device_work() {
    const CudaEvent end = make_order_event();
    cuda_check(cudaEventRecord(end.get(), nullptr), "record");
    nccl_world().wait_until(
        [&] {
            const cudaError_t state = cudaEventQuery(end.get());
            if (state != cudaErrorNotReady) cuda_check(state, "ask for an event");
            static_cast<void>(cudaGetLastError());
            return state == cudaSuccess;
        },
        "device work of a test");
}

}    // namespace blip::test
