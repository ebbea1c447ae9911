// See fakes.h. Calls in a group are checked at once and put on their streams by ncclGroupEnd, together and in order.
// FAKE_NCCL holds words like "init@1": what goes wrong, and on which rank (all, without @):
//   version            another version than the headers'
//   unique_id          ncclGetUniqueId fails
//   init, init_at_once the connection fails, in the background or in the call itself
//   init_hangs         it never comes about; shared_gpu: another rank is on the same GPU
//   collective         the third collective fails, in the background; gather_at_once: a gather is refused
//   abort_hangs        ncclCommAbort never returns
//   no_nccl_memory     ncclMemAlloc fails (the caller falls back); no_registration: ncclCommRegister fails
//   finalize           ncclCommFinalize fails, in the background
#include <nccl.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

#include "tests/nccl/fakes.h"

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// What NCCL's opaque type is here.
struct ncclComm {
    fs::path board;    // a folder: rank r leaves its part of exchange k as "k.r"
    int rank = 0, size = 1, exchanges = 0, collectives = 0;
    std::atomic<ncclResult_t> state{ncclSuccess};
    std::atomic<bool> aborted{false};
};

namespace {

// Boards that this process made; what a test did not finish goes with the process.
struct Boards : std::vector<fs::path> {
    ~Boards() {
        std::error_code ignored;
        for (const fs::path& board : *this) fs::remove_all(board, ignored);
    }
} boards;

// Of the calling thread, as NCCL's.
struct Group {
    int depth = 0;
    ncclComm* comm = nullptr;
    std::vector<std::function<void()>> puts;
    ncclResult_t refused = ncclSuccess;    // by a call of the group: what its end answers, and nothing is put
};
thread_local Group group;

std::string calls;
const char* last_error = "";

bool faulty(const std::string& fault) {
    const char *words = std::getenv("FAKE_NCCL"), *rank = std::getenv("OMPI_COMM_WORLD_RANK");
    std::istringstream list(words != nullptr ? words : "");
    for (std::string word; list >> word;)
        if (word == fault || word == fault + "@" + (rank != nullptr ? rank : "0")) return true;
    return false;
}
void called(const char* name) { calls += (calls.empty() ? "" : " ") + std::string(name); }

void hang() {
    for (;;) std::this_thread::sleep_for(1h);
}

ncclResult_t fail(ncclResult_t result, const char* why) {
    last_error = why;
    return result;
}

ncclResult_t refuse(ncclResult_t result, const char* why) {
    if (group.depth > 0) group.refused = result;
    return fail(result, why);
}

// Leaves bytes for the others and takes theirs, in rank order; empty if the communicator is aborted or a rank is lost.
std::vector<std::string> meet(ncclComm& comm, const std::string& bytes) {
    const int number = comm.exchanges++;
    const auto file = [&](int k, int rank) { return comm.board / (std::to_string(k) + "." + std::to_string(rank)); };
    const fs::path own = file(number, comm.rank), unfinished = fs::path(own) += ".new";
    std::ofstream(unfinished, std::ios::binary) << bytes;
    fs::rename(unfinished, own);
    std::vector<std::string> parts;
    for (int rank = 0; rank < comm.size; ++rank) {
        while (!fs::exists(file(number, rank))) {
            if (comm.aborted) return {};
            if (fs::exists(comm.board / "lost")) {
                comm.state = fail(ncclRemoteError, "connection closed by a fake peer");
                return {};
            }
            std::this_thread::sleep_for(200us);
        }
        std::ifstream in(file(number, rank), std::ios::binary);
        parts.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    }
    // Everyone is here, so everyone has read what was left before.
    if (number > 0) fs::remove(file(number - 1, comm.rank));
    return parts;
}

// As calls do that have connections to make: nothing is on the stream before the state is success.
ncclResult_t launch_slowly(ncclComm& comm, std::vector<std::function<void()>> puts) {
    ncclResult_t well = ncclSuccess, going_on = ncclInProgress;
    if (!comm.state.compare_exchange_strong(well, ncclInProgress)) return ncclInProgress;    // what it is, is asked
    std::thread([&comm, going_on, puts = std::move(puts)]() mutable {
        std::this_thread::sleep_for(5ms);
        for (const auto& put : puts) put();
        comm.state.compare_exchange_strong(going_on, ncclSuccess);
    }).detach();
    return ncclInProgress;
}

// Queues run(parts of all ranks, to on the host) behind an exchange of `bytes` at from. Every second call takes its
// time.
template <class Run>
ncclResult_t collective(ncclComm& comm, const void* from, std::size_t bytes, void* to, std::size_t to_bytes,
                        cudaStream_t stream, const Run& run) {
    if (comm.state != ncclSuccess) return refuse(ncclInvalidUsage, "called before the last call was through");
    const int number = ++comm.collectives;
    if (number == 3 && faulty("collective")) {
        std::ofstream(comm.board / "lost") << "";
        comm.state = fail(ncclSystemError, "a fake cable was pulled");
        return ncclSuccess;
    }
    const std::function<void()> put = [=, &comm] {
        const void* source = blip::fakes::host_memory(const_cast<void*>(from), bytes, false, stream);
        void* target = blip::fakes::host_memory(to, to_bytes, true, stream);
        blip::fakes::enqueue(stream, [&comm, source, target, bytes, run] {
            const auto parts = meet(comm, std::string(static_cast<const char*>(source), bytes));
            if (!parts.empty())
                run(parts, target);
            else
                while (!comm.aborted) std::this_thread::sleep_for(1ms);    // a kernel that waits for its peers
        });
    };
    if (group.depth > 0) {
        group.comm = &comm;
        group.puts.push_back(put);
        return ncclSuccess;
    }
    if (number % 2 == 0) {
        put();
        return ncclSuccess;
    }
    return launch_slowly(comm, {put});
}

}    // namespace

namespace blip::fakes {
const std::string& nccl_calls() { return calls; }
}    // namespace blip::fakes

extern "C" {

ncclResult_t ncclGetVersion(int* version) {
    *version = faulty("version") ? 21903 : NCCL_VERSION_CODE;
    return ncclSuccess;
}
const char* ncclGetErrorString(ncclResult_t result) {
    return result == ncclRemoteError ? "remote process exited or there was a network error" : "a fake NCCL's error";
}
const char* ncclGetLastError(ncclComm_t) { return last_error; }

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
    called("id");
    if (faulty("unique_id")) return fail(ncclSystemError, "no fake network");
    std::string board = (fs::temp_directory_path() / "fake_nccl_XXXXXX").string();
    if (::mkdtemp(board.data()) == nullptr || board.size() >= sizeof id->internal) return ncclSystemError;
    boards.emplace_back(board);
    std::memset(id->internal, 0, sizeof id->internal);
    std::memcpy(id->internal, board.data(), board.size());
    return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* result, int size, ncclUniqueId id, int rank, ncclConfig_t* config) {
    called("init");
    if (config->blocking != 0) return fail(ncclInvalidArgument, "the fake knows non-blocking communicators only");
    if (faulty("init_at_once")) return fail(ncclUnhandledCudaError, "no fake device");
    auto* comm = new ncclComm;
    comm->board = id.internal;
    comm->rank = rank;
    comm->size = size;
    comm->state = ncclInProgress;
    *result = comm;
    std::thread([comm] {
        if (faulty("init_hangs")) hang();
        if (faulty("init")) {
            comm->state = fail(ncclUnhandledCudaError, "no fake device");
            return;
        }
        if (faulty("shared_gpu")) {
            comm->state =
                fail(ncclInvalidUsage, "Duplicate GPU detected : rank 0 and rank 1 both on CUDA device 41000");
            return;
        }
        if (!meet(*comm, "").empty()) comm->state = ncclSuccess;
    }).detach();
    return ncclInProgress;
}
ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* state) {
    *state = comm->state;
    return ncclSuccess;
}

ncclResult_t ncclGroupStart() {
    called("group_start");
    ++group.depth;
    return ncclSuccess;
}
// Always answers that it goes on, as the real one may.
ncclResult_t ncclGroupEnd() {
    called("group_end");
    if (group.depth == 0) return fail(ncclInvalidUsage, "the end of a group that was never started");
    if (--group.depth > 0) return ncclSuccess;
    const Group whole = std::exchange(group, {});
    if (whole.refused != ncclSuccess) return whole.refused;
    return whole.puts.empty() ? ncclSuccess : launch_slowly(*whole.comm, whole.puts);
}

ncclResult_t ncclReduceScatter(const void* send, void* receive, std::size_t count, ncclDataType_t type, ncclRedOp_t op,
                               ncclComm_t comm, cudaStream_t stream) {
    called("reduce_scatter");
    if (type != ncclFloat32 || op != ncclSum) return refuse(ncclInvalidArgument, "the fake adds floats only");
    const std::size_t bytes = count * sizeof(float) * static_cast<std::size_t>(comm->size);
    return collective(
        *comm, send, bytes, receive, count * sizeof(float), stream,
        [comm, count](const std::vector<std::string>& parts, void* target) {
            auto* out = static_cast<float*>(target);
            for (std::size_t i = 0; i < count; ++i) {
                float sum = 0;
                for (std::size_t r = 0; r < parts.size(); ++r) {
                    float value = 0;
                    std::memcpy(&value,
                                parts[r].data() + (static_cast<std::size_t>(comm->rank) * count + i) * sizeof value,
                                sizeof value);
                    sum = r == 0 ? value : sum + value;
                }
                out[i] = sum;
            }
        });
}
ncclResult_t ncclAllGather(const void* send, void* receive, std::size_t count, ncclDataType_t type, ncclComm_t comm,
                           cudaStream_t stream) {
    called("all_gather");
    if (faulty("gather_at_once")) return refuse(ncclInvalidUsage, "no fake gathers");
    if (type != ncclInt8) return refuse(ncclInvalidArgument, "the fake gathers bytes only");
    return collective(*comm, send, count, receive, count * static_cast<std::size_t>(comm->size), stream,
                      [count](const std::vector<std::string>& parts, void* target) {
                          for (std::size_t r = 0; r < parts.size(); ++r)
                              std::memcpy(static_cast<char*>(target) + r * count, parts[r].data(), count);
                      });
}

ncclResult_t ncclMemAlloc(void** memory, std::size_t bytes) {
    called("alloc");
    if (faulty("no_nccl_memory")) return ncclUnhandledCudaError;
    return cudaMalloc(memory, bytes) == cudaSuccess ? ncclSuccess : ncclUnhandledCudaError;
}
ncclResult_t ncclMemFree(void* memory) {
    called("free");
    return cudaFree(memory) == cudaSuccess ? ncclSuccess : ncclUnhandledCudaError;
}
ncclResult_t ncclCommRegister(ncclComm_t, void* memory, std::size_t, void** handle) {
    called("register");
    if (faulty("no_registration")) return ncclInvalidUsage;
    *handle = memory;
    return ncclSuccess;
}
ncclResult_t ncclCommDeregister(ncclComm_t, void*) {
    called("deregister");
    return ncclSuccess;
}

ncclResult_t ncclCommFinalize(ncclComm_t comm) {
    called("finalize");
    comm->state = ncclInProgress;
    std::thread([comm] {
        if (faulty("finalize")) {
            comm->state = fail(ncclInternalError, "a fake connection does not close");
            return;
        }
        meet(*comm, "");
        // The first rank clears the board when the others have read it.
        const fs::path done = comm->board / ("done." + std::to_string(comm->rank));
        std::ofstream(done) << "";
        for (int rank = 0; comm->rank == 0 && rank < comm->size; ++rank)
            while (!fs::exists(comm->board / ("done." + std::to_string(rank)))) std::this_thread::sleep_for(200us);
        if (comm->rank == 0) fs::remove_all(comm->board);
        comm->state = ncclSuccess;
    }).detach();
    return ncclInProgress;
}
ncclResult_t ncclCommDestroy(ncclComm_t comm) {
    called("destroy");
    return comm->state == ncclSuccess ? ncclSuccess : fail(ncclInvalidUsage, "destroyed before it was finalised");
}
ncclResult_t ncclCommAbort(ncclComm_t comm) {
    called("abort");
    if (faulty("abort_hangs")) hang();
    comm->aborted = true;
    return ncclSuccess;
}

}    // extern "C"
