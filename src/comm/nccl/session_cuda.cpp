// See session_cuda.h.
#include "src/comm/nccl/session_cuda.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "blip/base/cuda.h"
#include "blip/base/error.h"
#include "blip/comm/run_together.h"
#include "blip/comm/watchdog.h"
#include "src/comm/mpi/requests.h"

namespace blip {
namespace {

std::string version_text(int code) { return fmt::format("{}.{}.{}", code / 10000, code / 100 % 100, code % 100); }

// The file that NCCL was loaded from. Asked by name: a function's address may be that of a stub in the program.
std::string library_path() {
    Dl_info info = {};
    void* function = ::dlsym(RTLD_DEFAULT, "ncclGetVersion");
    if (function == nullptr || ::dladdr(function, &info) == 0 || info.dli_fname == nullptr) return "an unknown file";
    return info.dli_fname;
}

std::string reason(ncclResult_t result, ncclComm_t comm) {
    const char* last = ncclGetLastError(comm);
    return fmt::format("{}{}", ncclGetErrorString(result),
                       last != nullptr && *last != '\0' ? fmt::format(" ({})", last) : "");
}

// LibTorch and this program talk to one library by the headers of one version.
void check_version() {
    int version = 0;
    const ncclResult_t result = ncclGetVersion(&version);
    if (result != ncclSuccess)
        throw Error(ExitCode::internal, "{}: NCCL does not tell its version: {}", host_name(), reason(result, nullptr));
    if (version != NCCL_VERSION_CODE)
        throw Error(ExitCode::missing_input,
                    "{}: NCCL {} was loaded from {}, but this program was built for {}: take that library "
                    "out of LD_LIBRARY_PATH and LD_PRELOAD, or build with the LibTorch it belongs to",
                    host_name(), version_text(version), library_path(), version_text(NCCL_VERSION_CODE));
}

}    // namespace

NcclSession::NcclSession(const CommOptions& options, int device, HostMessages& host)
    : options_(options), host_(host), device_(device), rank_(host.rank()), size_(host.size()) {
    ncclUniqueId id = {};
    // All or none go on: a rank that never learned the id would wait for ever.
    run_together(host, [&] {
        check_version();
        if (rank_ != 0) return;
        if (const ncclResult_t result = ncclGetUniqueId(&id); result != ncclSuccess)
            throw Error(ExitCode::internal, describe(result, "open NCCL's port for the other ranks"));
    });
    std::string bytes(id.internal, sizeof id.internal);
    host.broadcast(bytes, "NCCL's id");
    std::copy_n(bytes.data(), std::min(bytes.size(), sizeof id.internal), id.internal);
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    settle(ncclCommInitRankConfig(&comm_, size_, id, rank_, &config), "connect the GPUs of all ranks");
    state_ = State::running;
}

std::string NcclSession::describe(ncclResult_t result, const char* what) const {
    const std::string why = reason(result, comm_);
    // two ranks that each see one GPU may see the same
    const bool shared = why.find("Duplicate GPU") != std::string::npos;
    return fmt::format(
        "rank {} on {}: NCCL failed in '{}' on GPU {}: {}. {} "
        "NCCL_DEBUG=INFO in the environment prints what NCCL does; nvidia-smi shows whether the GPU is well",
        rank_, host_name(), what, device_, why,
        shared ? "Ranks do not share a GPU, nor its parts by MIG: start as many ranks on a host as it has GPUs."
               : "Another rank may be the cause: see its message.");
}

ncclResult_t NcclSession::async_state(const char* what) {
    ncclResult_t state = ncclSuccess;
    ncclResult_t result = ncclCommGetAsyncError(comm_, &state);
    if (result == ncclSuccess) result = state;
    if (result != ncclSuccess && result != ncclInProgress) fail(result, what);
    return result;
}

void NcclSession::fail(ncclResult_t result, const char* what) {
    const std::string message = describe(result, what);
    abandon(message);
    throw Error(ExitCode::internal, message);
}

void NcclSession::settle(ncclResult_t result, const char* what) {
    if (result == ncclSuccess) return;
    if (result != ncclInProgress) fail(result, what);
    poll([&] { return async_state(what) == ncclSuccess; }, what);
}

void NcclSession::check(const char* what) { static_cast<void>(async_state(what)); }

void NcclSession::poll(const std::function<bool()>& reached, const char* what) {
    Patience patience{options_.timeout_s,
                      rank_,
                      [this] { host_.answer_ranks(); },
                      [this](const std::vector<int>& awaited) { return host_.hang_facts(awaited); },
                      {}};
    patience.remark = [this] {
        const char* last = ncclGetLastError(comm_);
        return fmt::format(" on GPU {}{}; NCCL_DEBUG=INFO prints what NCCL does", device_,
                           last != nullptr && *last != '\0' ? fmt::format(", NCCL says: {}", last) : "");
    };
    try {
        poll_until(
            [&] {
                check(what);
                return reached();
            },
            what, patience);
    } catch (const std::exception& error) {
        abandon(error.what());
        throw;
    }
}

void NcclSession::finish() {
    constexpr const char* what = "end NCCL";
    settle(ncclCommFinalize(comm_), what);
    // Local and quick once finalised.
    const ncclResult_t result = ncclCommDestroy(std::exchange(comm_, nullptr));
    state_ = State::finished;
    if (result != ncclSuccess && result != ncclInProgress) throw Error(ExitCode::internal, describe(result, what));
}

void NcclSession::abandon(const std::string& message) {
    if (state_ == State::failed) return;
    state_ = State::failed;
    const double deadline_s = std::min(10.0, options_.timeout_s);
    // Unwinding can hang, waiting for a device whose kernels never end.
    end_process_after(3 * deadline_s, static_cast<int>(ExitCode::internal),
                      message + "; the process did not end by itself and is ended");
    if (comm_ == nullptr) return;
    try_for(deadline_s, [comm = std::exchange(comm_, nullptr), device = device_] {
        static_cast<void>(cudaSetDevice(device));
        static_cast<void>(ncclCommAbort(comm));
    });
}

}    // namespace blip
