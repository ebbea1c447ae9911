// A world of one rank without MPI: for programs started without mpirun (caption) and for tests.
#pragma once

#include "blip/comm/communicator.h"

namespace blip {

class SelfCommunicator : public Communicator {
  public:
    int rank() const override { return 0; }
    int size() const override { return 1; }
    std::shared_ptr<void> allocate(std::size_t bytes) override;
    WorkPtr start_reduce_scatter(const float* send, float* receive, std::int64_t count, const char* what) override;
    WorkPtr start_all_gather(float* buffer, std::int64_t count, const char* what) override;
    void wait(WorkPtr work) override;
    WorkPtr start_host_sum(std::span<double> values, const char* what) override;
    void broadcast(std::string& bytes, const char* what) override;
    std::vector<std::string> gather(const std::string& bytes, const char* what) override;
    std::vector<std::string> all_gather_strings(const std::string& bytes, const char* what) override;
    void barrier(const char* what, bool without_deadline) override;
};

}    // namespace blip
