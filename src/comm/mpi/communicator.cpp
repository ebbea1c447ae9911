// The CPU twin of Communicator. Arena collectives are direct exchanges: every rank sends each other rank its part, so a
// reduce-scatter moves (N-1)/N of a bucket per rank, and its owner adds the parts in rank order: the order of summation
// is fixed by construction, whatever algorithm an MPI library would choose. Legend: N ranks.
#include "blip/comm/mpi/communicator.h"

#include <fmt/format.h>
#include <mpi.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

#include "blip/base/error.h"
#include "blip/base/phase.h"
#include "src/comm/hang_report.h"
#include "src/comm/mpi/check.h"
#include "src/comm/mpi/requests.h"
#include "src/comm/packed_strings.h"
#include "src/comm/rank_sum.h"

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
        throw Error(ExitCode::internal,
                    fmt::format("'{}' gathers {} bytes, more than MPI can count (2^31 - 1)", what, bytes));
    }
    return static_cast<int>(bytes);
}

class MpiCommunicator final : public Communicator {
  public:
    MpiCommunicator(const CommOptions& options, int ranks_per_node) {
        const PhaseScope connecting(Phase::starting_mpi);    // MPI spins while it waits: that is no progress
        mpi_check(MPI_Comm_rank(MPI_COMM_WORLD, &rank_), "ask for the rank");
        patience_.timeout_s = options.timeout_s;
        patience_.rank = rank_;
        mpi_check(MPI_Comm_size(MPI_COMM_WORLD, &size_), "ask for the number of ranks");
        MPI_Request request = MPI_REQUEST_NULL;
        mpi_check(MPI_Comm_idup(MPI_COMM_WORLD, &comm_, &request), "duplicate the communicator");
        finish(request, "duplicate the communicator");
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
    std::vector<std::string> gather(const std::string& bytes, const char* what) override;
    std::vector<std::string> all_gather_strings(const std::string& bytes, const char* what) override;
    void barrier(const char* what) override;
    HangFacts hang_facts(const std::vector<int>& awaited) override { return hang_->tell(awaited); }
    void answer_ranks() override { hang_->answer(); }

  private:
    void finish(MPI_Request request, const char* what) {
        MpiRequests requests;
        requests.add(request, -1);
        requests.wait(what, patience_);
    }
    // From rank 0 of the group.
    void broadcast_bytes(void* bytes, std::size_t length, MPI_Comm group, const char* what);
    // Starts sending `bytes` bytes to every other rank and receiving theirs: all [N, bytes], the own part included.
    // Unlike MPI's collectives, what is missing tells which rank is late.
    void exchange(MpiRequests& requests, const void* own, void* all, std::size_t bytes, Tag tag, const char* what);
    void add_sends(MpiRequests& requests, const float* from, std::int64_t count, int peer, const char* what);
    void add_receives(MpiRequests& requests, float* to, std::int64_t count, int peer, const char* what);
    // Buffers that were used before are used again: fresh memory costs a page fault per 4 KiB.
    std::unique_ptr<Buffer> take_scratch(std::int64_t count);
    // this rank's size in, everyone's out (on all ranks)
    std::vector<std::uint64_t> all_sizes(std::size_t bytes, const char* what);

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
        throw Error(ExitCode::internal, fmt::format("no memory for {:.1f} MiB; use a smaller model or more hosts",
                                                    static_cast<double>(length) / (1 << 20)));
    }
    ::madvise(memory, length, MADV_HUGEPAGE);    // a wish: fewer page faults where the kernel grants it
    return {memory, [length](void* address) { ::munmap(address, length); }};
}

void MpiCommunicator::exchange(MpiRequests& requests, const void* own, void* all, std::size_t bytes, Tag tag,
                               const char* what) {
    const int count = int_count(bytes, what);
    auto* parts = static_cast<char*>(all);
    if (bytes > 0) std::memcpy(parts + static_cast<std::size_t>(rank_) * bytes, own, bytes);
    for (int step = 1; step < size_; ++step) {
        const int from = (rank_ + size_ - step) % size_;
        MPI_Request request = MPI_REQUEST_NULL;
        mpi_check(MPI_Irecv(bytes > 0 ? parts + static_cast<std::size_t>(from) * bytes : nullptr, count, MPI_BYTE, from,
                            tag, comm_, &request),
                  what);
        requests.add(request, from);
    }
    for (int step = 1; step < size_; ++step) {
        const int to = (rank_ + step) % size_;
        MPI_Request request = MPI_REQUEST_NULL;
        mpi_check(MPI_Isend(own, count, MPI_BYTE, to, tag, comm_, &request), what);
        requests.add(request, to);
    }
}

void MpiCommunicator::add_sends(MpiRequests& requests, const float* from, std::int64_t count, int peer,
                                const char* what) {
    for (std::int64_t begin = 0; begin < count; begin += kMessageFloats) {
        MPI_Request request = MPI_REQUEST_NULL;
        const int length = static_cast<int>(std::min(kMessageFloats, count - begin));
        mpi_check(MPI_Isend(from + begin, length, MPI_FLOAT, peer, arena_tag, comm_, &request), what);
        requests.add(request, peer);
    }
}

void MpiCommunicator::add_receives(MpiRequests& requests, float* to, std::int64_t count, int peer, const char* what) {
    for (std::int64_t begin = 0; begin < count; begin += kMessageFloats) {
        MPI_Request request = MPI_REQUEST_NULL;
        const int length = static_cast<int>(std::min(kMessageFloats, count - begin));
        mpi_check(MPI_Irecv(to + begin, length, MPI_FLOAT, peer, arena_tag, comm_, &request), what);
        requests.add(request, peer);
    }
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
    for (int step = 1; step < size_; ++step) {
        const int from = (rank_ + size_ - step) % size_;
        add_receives(work->requests, work->scratch->data() + (from - (from > rank_)) * count, count, from, what);
    }
    for (int step = 1; step < size_; ++step) {
        const int to = (rank_ + step) % size_;
        add_sends(work->requests, send + to * count, count, to, what);
    }
    return work;
}

WorkPtr MpiCommunicator::start_all_gather(void* buffer, std::int64_t bytes, const char* what) {
    if (size_ == 1) return nullptr;
    auto work = std::make_unique<MpiWork>();
    work->what = what;
    // moved unchanged, whatever the bytes mean
    auto* floats = static_cast<float*>(buffer);
    const std::int64_t count = bytes / static_cast<std::int64_t>(sizeof(float));
    for (int step = 1; step < size_; ++step) {
        const int from = (rank_ + size_ - step) % size_;
        add_receives(work->requests, floats + from * count, count, from, what);
    }
    for (int step = 1; step < size_; ++step) {
        add_sends(work->requests, floats + rank_ * count, count, (rank_ + step) % size_, what);
    }
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
        MPI_Request request = MPI_REQUEST_NULL;
        mpi_check(MPI_Ibcast(static_cast<char*>(bytes) + begin, count, MPI_BYTE, 0, group, &request), what);
        finish(request, what);
    }
}

std::vector<std::uint64_t> MpiCommunicator::all_sizes(std::size_t bytes, const char* what) {
    const std::uint64_t own = bytes;
    std::vector<std::uint64_t> sizes(static_cast<std::size_t>(size_));
    MpiRequests requests;
    exchange(requests, &own, sizes.data(), sizeof own, sizes_tag, what);
    requests.wait(what, patience_);
    // refused by every rank, not only by those that would have to hold it
    static_cast<void>(int_count(std::accumulate(sizes.begin(), sizes.end(), std::size_t{0}), what));
    return sizes;
}

std::vector<std::string> MpiCommunicator::gather(const std::string& bytes, const char* what) {
    if (size_ == 1) return {bytes};
    const std::vector<std::uint64_t> sizes = all_sizes(bytes.size(), what);
    PackedStrings packed(rank_ == 0 ? sizes : std::vector<std::uint64_t>{});
    MPI_Request request = MPI_REQUEST_NULL;
    mpi_check(MPI_Igatherv(bytes.data(), static_cast<int>(bytes.size()), MPI_BYTE, packed.bytes.data(),
                           packed.counts.data(), packed.offsets.data(), MPI_BYTE, 0, comm_, &request),
              what);
    finish(request, what);
    return packed.split();
}

std::vector<std::string> MpiCommunicator::all_gather_strings(const std::string& bytes, const char* what) {
    if (size_ == 1) return {bytes};
    PackedStrings packed(all_sizes(bytes.size(), what));
    MPI_Request request = MPI_REQUEST_NULL;
    mpi_check(MPI_Iallgatherv(bytes.data(), static_cast<int>(bytes.size()), MPI_BYTE, packed.bytes.data(),
                              packed.counts.data(), packed.offsets.data(), MPI_BYTE, comm_, &request),
              what);
    finish(request, what);
    return packed.split();
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
