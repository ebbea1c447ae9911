// HostMessages and Collectives by MPI. Arena collectives are direct exchanges: every rank sends each other rank its
// part, so a reduce-scatter moves (N-1)/N of a bucket per rank, and its owner adds the parts in rank order: the order
// of summation is fixed by construction, whatever algorithm an MPI library would choose. Legend: N ranks.
#include "blip/comm/mpi/communicator.h"

#include <mpi.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

#include "blip/base/error.h"
#include "blip/base/phase.h"
#include "src/comm/hang_report.h"
#include "src/comm/mpi/requests.h"

namespace blip {
namespace {

// Parts go in messages of 4 MiB: far below what MPI's int counts allow, and each arrival shows the waiting rank that
// more is on its way.
constexpr std::int64_t kMessageFloats = std::int64_t{1} << 20;
constexpr std::int64_t kMessageBytes = std::int64_t{1} << 30;

// Messages of one kind between two ranks match in the order in which they were started.
enum Tag { arena_tag, sum_tag, sizes_tag, barrier_tag };

using Buffer = std::vector<float>;

// What wait() needs to finish a collective. Dropped unfinished only when an error unwinds: the job is then aborted, and
// until then MPI may still write into scratch, so that is left alone.
struct MpiWork : Work {
    MpiRequests requests;
    std::string what;
    std::unique_ptr<Buffer> scratch;    // the other ranks' parts, [N-1, count]
    const float* own = nullptr;         // reduce-scatter: this rank's part of its own gradients
    float* receive = nullptr;
    std::int64_t count = 0;
    std::unique_ptr<std::vector<double>> gathered;    // host sum: [N, values]
    std::span<double> values;

    ~MpiWork() override {
        if (requests.empty()) return;
        static_cast<void>(scratch.release());
        static_cast<void>(gathered.release());
    }
};

int int_count(std::size_t bytes, const char* what) {
    if (bytes > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
        throw Error(ExitCode::internal, "'{}' gathers {} bytes, more than MPI can count (2^31 - 1)", what, bytes);
    }
    return static_cast<int>(bytes);
}

// receive[i] = sum over r = 0..N-1 in this order, whatever comes first; parts: the other ranks' [N-1, count] in rank
// order. own may be receive.
void sum_in_rank_order(const float* own, const float* parts, int rank, int size, float* receive, std::int64_t count) {
    constexpr std::int64_t kBlock = 1024;
    std::array<float, kBlock> sum;
    for (std::int64_t begin = 0; begin < count; begin += kBlock) {
        const std::int64_t length = std::min(kBlock, count - begin);
        for (int r = 0; r < size; ++r) {
            const float* __restrict part = r == rank ? own + begin : parts + (r - (r > rank)) * count + begin;
            if (r == 0) {
                std::copy_n(part, length, sum.data());
            } else if (length == kBlock) {
                for (std::int64_t i = 0; i < kBlock; ++i) sum[static_cast<std::size_t>(i)] += part[i];
            } else {
                for (std::int64_t i = 0; i < length; ++i) sum[static_cast<std::size_t>(i)] += part[i];
            }
        }
        std::copy_n(sum.data(), length, receive + begin);
    }
}

class MpiCommunicator final : public Communicator {
  public:
    MpiCommunicator(const CommOptions& options, int ranks_per_node) {
        const PhaseScope connecting(Phase::starting_mpi);    // MPI spins while it waits: that is no progress
        mpi_check(MPI_Comm_rank(MPI_COMM_WORLD, &rank_), "ask for the rank");
        patience_.timeout_s = options.timeout_s;
        patience_.rank = rank_;
        mpi_check(MPI_Comm_size(MPI_COMM_WORLD, &size_), "ask for the number of ranks");
        run_collective("duplicate the communicator", patience_,
                       [&](MPI_Request* request) { return MPI_Comm_idup(MPI_COMM_WORLD, &comm_, request); });
        mpi_check(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "set the error handler");
        const char* what = "find this host's ranks";
        mpi_check(ranks_per_node > 0 ? MPI_Comm_split(comm_, rank_ / ranks_per_node, rank_, &node_)
                                     : MPI_Comm_split_type(comm_, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &node_),
                  what);
        mpi_check(MPI_Comm_set_errhandler(node_, MPI_ERRORS_RETURN), "set the error handler");
        mpi_check(MPI_Comm_rank(node_, &node_rank_), what);
        mpi_check(MPI_Comm_size(node_, &node_size_), what);
        hang_.emplace(comm_, node_, patience_);
        patience_.answer = [this] { hang_->answer(); };
        patience_.facts = [this](const std::vector<int>& awaited) { return hang_->tell(awaited); };
    }
    // comm_ and node_ are left to MPI_Finalize: freeing it is collective, and a destructor must not wait for other
    // ranks.

    int rank() const override { return rank_; }
    int size() const override { return size_; }
    int node_rank() const override { return node_rank_; }
    int node_size() const override { return node_size_; }

    std::shared_ptr<void> allocate(std::size_t bytes) override;
    WorkPtr start_reduce_scatter(const float* send, float* receive, std::int64_t count, const char* what) override;
    WorkPtr start_all_gather(void* buffer, std::int64_t bytes, const char* what) override;
    void wait(WorkPtr work) override;
    void wait_until(const std::function<bool()>& reached, const char* what) override {
        poll_until(reached, what, patience_);
    }
    void finish_exchanges() override { barrier("end of an exchange"); }
    WorkPtr start_host_sum(std::span<double> values, const char* what) override;
    void broadcast(std::string& bytes, const char* what) override;
    void node_broadcast(std::span<std::byte> bytes, const char* what) override {
        if (node_size_ > 1) broadcast_bytes(bytes.data(), bytes.size(), node_, what);
    }
    std::vector<std::string> gather(const std::string& bytes, const char* what) override {
        return gather_on(/*all=*/false, bytes, what);
    }
    std::vector<std::string> all_gather_strings(const std::string& bytes, const char* what) override {
        return gather_on(/*all=*/true, bytes, what);
    }
    void barrier(const char* what) override;
    HangFacts hang_facts(const std::vector<int>& awaited) override { return hang_->tell(awaited); }
    void answer_ranks() override { hang_->answer(); }

  private:
    // Calls receive and send with every other rank, each rank beginning with its neighbour.
    template <class Receive, class Send>
    void with_peers(const Receive& receive, const Send& send) {
        for (int step = 1; step < size_; ++step) receive((rank_ + size_ - step) % size_);
        for (int step = 1; step < size_; ++step) send((rank_ + step) % size_);
    }
    // From rank 0 of the group.
    void broadcast_bytes(void* bytes, std::size_t length, MPI_Comm group, const char* what);
    // Starts sending `bytes` bytes to every other rank and receiving theirs: all [N, bytes], the own part included.
    // Unlike MPI's collectives, what is missing tells which rank is late.
    void exchange(MpiRequests& requests, const void* own, void* all, std::size_t bytes, Tag tag, const char* what);
    void add_sends(MpiWork& work, const float* from, int peer);
    void add_receives(MpiWork& work, float* to, int peer);
    // Buffers that were used before are used again: fresh memory costs a page fault per 4 KiB.
    std::unique_ptr<Buffer> take_scratch(std::int64_t count);
    // Every rank's bytes, on all ranks or on rank 0.
    std::vector<std::string> gather_on(bool all, const std::string& bytes, const char* what);

    Patience patience_;
    std::optional<HangReport> hang_;
    MPI_Comm comm_ = MPI_COMM_NULL, node_ = MPI_COMM_NULL;
    int rank_ = 0, size_ = 1, node_rank_ = 0, node_size_ = 1;
    std::vector<std::unique_ptr<Buffer>> free_scratch_;
};

std::shared_ptr<void> MpiCommunicator::allocate(std::size_t bytes) {
    constexpr std::size_t kPage = 4096;
    const std::size_t length = std::max(kPage, (bytes + kPage - 1) / kPage * kPage);
    void* memory = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        throw Error(ExitCode::internal, "no memory for {:.1f} MiB; use a smaller model or more hosts",
                    static_cast<double>(length) / (1 << 20));
    }
    ::madvise(memory, length, MADV_HUGEPAGE);    // a wish: fewer page faults where the kernel grants it
    return {memory, [length](void* address) { ::munmap(address, length); }};
}

void MpiCommunicator::exchange(MpiRequests& requests, const void* own, void* all, std::size_t bytes, Tag tag,
                               const char* what) {
    const int count = int_count(bytes, what);
    auto* parts = static_cast<char*>(all);
    if (bytes > 0) std::memcpy(parts + static_cast<std::size_t>(rank_) * bytes, own, bytes);
    const auto receive = [&](int from) {
        char* const to = bytes > 0 ? parts + static_cast<std::size_t>(from) * bytes : nullptr;
        requests.add(from, what, [&](MPI_Request* r) { return MPI_Irecv(to, count, MPI_BYTE, from, tag, comm_, r); });
    };
    with_peers(receive, [&](int to) {
        requests.add(to, what, [&](MPI_Request* r) { return MPI_Isend(own, count, MPI_BYTE, to, tag, comm_, r); });
    });
}

// start(first float, length, request), for each of the messages that work's floats travel in to or from a rank.
template <class Start>
void add_messages(MpiWork& work, int peer, const Start& start) {
    for (std::int64_t begin = 0; begin < work.count; begin += kMessageFloats) {
        const int length = static_cast<int>(std::min(kMessageFloats, work.count - begin));
        work.requests.add(peer, work.what.c_str(), [&](MPI_Request* r) { return start(begin, length, r); });
    }
}

void MpiCommunicator::add_sends(MpiWork& work, const float* from, int peer) {
    add_messages(work, peer, [&](std::int64_t begin, int length, MPI_Request* request) {
        return MPI_Isend(from + begin, length, MPI_FLOAT, peer, arena_tag, comm_, request);
    });
}

void MpiCommunicator::add_receives(MpiWork& work, float* to, int peer) {
    add_messages(work, peer, [&](std::int64_t begin, int length, MPI_Request* request) {
        return MPI_Irecv(to + begin, length, MPI_FLOAT, peer, arena_tag, comm_, request);
    });
}

std::unique_ptr<Buffer> MpiCommunicator::take_scratch(std::int64_t count) {
    const auto needed = static_cast<std::size_t>(count);
    for (auto& free : free_scratch_) {
        if (free->size() < needed) continue;
        std::swap(free, free_scratch_.back());
        auto taken = std::move(free_scratch_.back());
        free_scratch_.pop_back();
        return taken;
    }
    return std::make_unique<Buffer>(needed);
}

// Sends and receives between two ranks match in the order in which they were started, the same on all ranks.
WorkPtr MpiCommunicator::start_reduce_scatter(const float* send, float* receive, std::int64_t count, const char* what) {
    if (size_ == 1) {
        if (receive != send) std::copy_n(send, count, receive);
        return nullptr;
    }
    auto work = std::make_unique<MpiWork>();
    work->what = what;
    work->own = send + rank_ * count;
    work->receive = receive;
    work->count = count;
    work->scratch = take_scratch((size_ - 1) * count);
    with_peers([&](int from) { add_receives(*work, work->scratch->data() + (from - (from > rank_)) * count, from); },
               [&](int to) { add_sends(*work, send + to * count, to); });
    return work;
}

WorkPtr MpiCommunicator::start_all_gather(void* buffer, std::int64_t bytes, const char* what) {
    if (size_ == 1) return nullptr;
    auto work = std::make_unique<MpiWork>();
    work->what = what;
    // moved unchanged, whatever the bytes mean
    auto* floats = static_cast<float*>(buffer);
    const std::int64_t count = work->count = bytes / static_cast<std::int64_t>(sizeof(float));
    with_peers([&](int from) { add_receives(*work, floats + from * count, from); },
               [&](int to) { add_sends(*work, floats + rank_ * count, to); });
    return work;
}

void MpiCommunicator::wait(WorkPtr work) {
    if (!work) return;
    auto& mpi = static_cast<MpiWork&>(*work);
    mpi.requests.wait(mpi.what, patience_);
    if (mpi.scratch) {
        sum_in_rank_order(mpi.own, mpi.scratch->data(), rank_, size_, mpi.receive, mpi.count);
        free_scratch_.push_back(std::move(mpi.scratch));
    }
    for (std::size_t i = 0; i < mpi.values.size(); ++i) {
        double sum = 0;
        for (std::size_t at = i; at < mpi.gathered->size(); at += mpi.values.size()) sum += (*mpi.gathered)[at];
        mpi.values[i] = sum;
    }
}

// Gathered and then added in rank order by each rank: all ranks get the same bits and so decide alike.
WorkPtr MpiCommunicator::start_host_sum(std::span<double> values, const char* what) {
    if (size_ == 1 || values.empty()) return nullptr;
    auto work = std::make_unique<MpiWork>();
    work->what = what;
    work->values = values;
    work->gathered = std::make_unique<std::vector<double>>(values.size() * static_cast<std::size_t>(size_));
    exchange(work->requests, values.data(), work->gathered->data(), values.size_bytes(), sum_tag, what);
    return work;
}

void MpiCommunicator::broadcast(std::string& bytes, const char* what) {
    if (size_ == 1) return;
    std::uint64_t length = bytes.size();
    broadcast_bytes(&length, sizeof length, comm_, what);
    bytes.resize(length);
    broadcast_bytes(bytes.data(), length, comm_, what);
}

void MpiCommunicator::broadcast_bytes(void* bytes, std::size_t length, MPI_Comm group, const char* what) {
    for (std::size_t begin = 0; begin < length; begin += kMessageBytes) {
        const int count = static_cast<int>(std::min<std::size_t>(kMessageBytes, length - begin));
        run_collective(what, patience_, [&](MPI_Request* request) {
            return MPI_Ibcast(static_cast<char*>(bytes) + begin, count, MPI_BYTE, 0, group, request);
        });
    }
}

std::vector<std::string> MpiCommunicator::gather_on(bool all, const std::string& bytes, const char* what) {
    if (size_ == 1) return {bytes};
    const std::uint64_t own = bytes.size();
    std::vector<std::uint64_t> sizes(static_cast<std::size_t>(size_));
    MpiRequests requests;
    exchange(requests, &own, sizes.data(), sizeof own, sizes_tag, what);
    requests.wait(what, patience_);
    // refused by every rank, not only by those that would have to hold it
    const int total = int_count(std::accumulate(sizes.begin(), sizes.end(), std::size_t{0}), what);
    if (!all && rank_ != 0) sizes.clear();
    const std::vector<int> counts(sizes.begin(), sizes.end());
    std::vector<int> offsets(counts.size());
    std::exclusive_scan(counts.begin(), counts.end(), offsets.begin(), 0);
    std::string end_to_end(counts.empty() ? 0 : static_cast<std::size_t>(total), '\0');
    run_collective(what, patience_, [&](MPI_Request* request) {
        const int length = static_cast<int>(own);
        return all ? MPI_Iallgatherv(bytes.data(), length, MPI_BYTE, end_to_end.data(), counts.data(), offsets.data(),
                                     MPI_BYTE, comm_, request)
                   : MPI_Igatherv(bytes.data(), length, MPI_BYTE, end_to_end.data(), counts.data(), offsets.data(),
                                  MPI_BYTE, 0, comm_, request);
    });
    std::vector<std::string> parts;
    for (std::size_t r = 0; r < counts.size(); ++r)
        parts.push_back(end_to_end.substr(static_cast<std::size_t>(offsets[r]), static_cast<std::size_t>(counts[r])));
    return parts;
}

void MpiCommunicator::barrier(const char* what) {
    if (size_ == 1) return;
    MpiRequests requests;
    exchange(requests, nullptr, nullptr, 0, barrier_tag, what);
    requests.wait(what, patience_);
}

}    // namespace

std::unique_ptr<Communicator> make_mpi_communicator(const CommOptions& options, int ranks_per_node) {
    return std::make_unique<MpiCommunicator>(options, ranks_per_node);
}

}    // namespace blip
