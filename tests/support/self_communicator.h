// A world of one rank without MPI, for tests in one process: one rank has nobody to talk to, and sums are what they
// are.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "blip/comm/communicator.h"

namespace blip::test {

class SelfCommunicator : public Communicator {
  public:
    int rank() const override { return 0; }
    int size() const override { return 1; }
    int node_rank() const override { return 0; }
    int node_size() const override { return 1; }
    std::shared_ptr<void> allocate(std::size_t bytes) override {
        constexpr std::size_t page = 4096;
        const std::size_t rounded = std::max((bytes + page - 1) / page * page, page);
        void* memory = std::aligned_alloc(page, rounded);
        std::memset(memory, 0, rounded);
        return {memory, std::free};
    }
    WorkPtr start_reduce_scatter(const float* send, float* receive, std::int64_t count, const char*) override {
        if (send != receive) std::copy_n(send, count, receive);
        return nullptr;
    }
    WorkPtr start_all_gather(void*, std::int64_t, const char*) override { return nullptr; }
    void wait(WorkPtr) override {}
    void wait_until(const std::function<bool()>& reached, const char*) override {
        while (!reached()) {
        }
    }
    WorkPtr start_host_sum(std::span<double>, const char*) override { return nullptr; }
    void broadcast(std::string&, const char*) override {}
    void node_broadcast(std::span<std::byte>, const char*) override {}
    std::vector<std::string> gather(const std::string& bytes, const char*) override { return {bytes}; }
    std::vector<std::string> all_gather_strings(const std::string& bytes, const char*) override { return {bytes}; }
    void barrier(const char*) override {}
};

}    // namespace blip::test
