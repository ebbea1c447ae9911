// Several ranks in one process: each is a thread with its own Communicator. For unit tests of code that needs a world
// of a given size without mpirun (optimizer slices, checkpoints written by 3 ranks and read by 2).
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "blip/comm/communicator.h"

namespace blip::test {

// Where the ranks meet: everyone leaves bytes and takes away everybody's.
class ThreadBoard {
  public:
    explicit ThreadBoard(int size) : size_(size), arriving_(static_cast<std::size_t>(size)) {}

    std::vector<std::string> exchange(int rank, std::string bytes) {
        std::unique_lock lock(mutex_);
        const std::int64_t round = round_;
        arriving_[static_cast<std::size_t>(rank)] = std::move(bytes);
        if (++arrived_ == size_) {
            arrived_ = 0;
            complete_ = arriving_;
            ++round_;
            all_here_.notify_all();
        } else {
            all_here_.wait(lock, [&] { return round_ != round || broken_; });
            if (round_ == round) throw std::runtime_error("another rank of the thread world failed");
        }
        return complete_;
    }
    // A rank that failed comes no more: the others must not wait for it.
    void leave() {
        const std::lock_guard lock(mutex_);
        broken_ = true;
        all_here_.notify_all();
    }

  private:
    std::mutex mutex_;
    std::condition_variable all_here_;
    int size_, arrived_ = 0;
    std::int64_t round_ = 0;
    bool broken_ = false;
    std::vector<std::string> arriving_, complete_;
};

class ThreadCommunicator final : public Communicator {
  public:
    // node_board: where the ranks of this one's host meet; every ranks_per_node ranks are a host.
    ThreadCommunicator(ThreadBoard& board, ThreadBoard& node_board, int rank, int size, int ranks_per_node)
        : board_(board), node_board_(node_board), rank_(rank), size_(size), ranks_per_node_(ranks_per_node) {}

    // all on one host
    ThreadCommunicator(ThreadBoard& board, int rank, int size) : ThreadCommunicator(board, board, rank, size, size) {}

    int rank() const override { return rank_; }
    int size() const override { return size_; }
    int node_rank() const override { return rank_ % ranks_per_node_; }
    int node_size() const override { return std::min(ranks_per_node_, size_ - (rank_ - node_rank())); }
    std::shared_ptr<void> allocate(std::size_t bytes) override {
        void* memory = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
        std::memset(memory, 0, bytes);
        return {memory, std::free};
    }
    WorkPtr start_reduce_scatter(const float* send, float* receive, std::int64_t count, const char*) override {
        const auto parts = board_.exchange(rank_, as_bytes(send, count * size_));
        for (std::int64_t i = 0; i < count; ++i) {
            float sum = 0;
            for (const auto& part : parts) sum += reinterpret_cast<const float*>(part.data())[rank_ * count + i];
            receive[i] = sum;
        }
        return nullptr;
    }
    WorkPtr start_all_gather(void* buffer, std::int64_t bytes, const char*) override {
        auto* at = static_cast<char*>(buffer);
        const auto parts = board_.exchange(rank_, {at + rank_ * bytes, static_cast<std::size_t>(bytes)});
        for (const auto& part : parts) at = std::copy(part.begin(), part.end(), at);
        return nullptr;
    }
    void wait(WorkPtr) override {}
    void wait_until(const std::function<bool()>& reached, const char*) override {
        while (!reached()) std::this_thread::yield();
    }
    WorkPtr start_host_sum(std::span<double> values, const char*) override {
        const auto parts = board_.exchange(rank_, {reinterpret_cast<const char*>(values.data()), values.size_bytes()});
        for (std::size_t i = 0; i < values.size(); ++i) {
            values[i] = 0;
            for (const auto& part : parts) values[i] += reinterpret_cast<const double*>(part.data())[i];
        }
        return nullptr;
    }
    void broadcast(std::string& bytes, const char*) override { bytes = board_.exchange(rank_, bytes).front(); }
    void node_broadcast(std::span<std::byte> bytes, const char*) override {
        std::string own;
        if (node_rank() == 0) own.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        const std::string first = node_board_.exchange(node_rank(), own).front();
        if (first.size() != bytes.size()) throw std::runtime_error("a broadcast of other sizes");
        if (node_rank() != 0) std::memcpy(bytes.data(), first.data(), first.size());
    }
    std::vector<std::string> gather(const std::string& bytes, const char*) override {
        auto all = board_.exchange(rank_, bytes);
        return rank_ == 0 ? all : std::vector<std::string>{};
    }
    std::vector<std::string> all_gather_strings(const std::string& bytes, const char*) override {
        return board_.exchange(rank_, bytes);
    }
    void barrier(const char*) override { board_.exchange(rank_, ""); }

  private:
    static std::string as_bytes(const float* data, std::int64_t count) {
        return {reinterpret_cast<const char*>(data), static_cast<std::size_t>(count) * sizeof(float)};
    }

    ThreadBoard& board_;
    ThreadBoard& node_board_;
    int rank_, size_, ranks_per_node_;
};

// Runs body as each of `size` ranks at once, ranks_per_node of them on a host (0: all); throws what the lowest failed
// rank threw. (Boost.Test's checks are not for
// threads: collect results in body, check them afterwards.)
inline void run_ranks(int size, const std::function<void(Communicator&)>& body, int ranks_per_node = 0) {
    if (ranks_per_node == 0) ranks_per_node = size;
    ThreadBoard board(size);
    std::deque<ThreadBoard> nodes;
    for (int first = 0; first < size; first += ranks_per_node)
        nodes.emplace_back(std::min(ranks_per_node, size - first));
    std::vector<std::exception_ptr> errors(static_cast<std::size_t>(size));
    std::vector<std::thread> threads;
    for (int rank = 0; rank < size; ++rank) {
        threads.emplace_back([&, rank] {
            try {
                ThreadCommunicator communicator(board, nodes[static_cast<std::size_t>(rank / ranks_per_node)], rank,
                                                size, ranks_per_node);
                body(communicator);
            } catch (...) {
                errors[static_cast<std::size_t>(rank)] = std::current_exception();
                board.leave();
                for (ThreadBoard& node : nodes) node.leave();
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    for (const auto& error : errors) {
        if (error) std::rethrow_exception(error);
    }
}

}    // namespace blip::test
