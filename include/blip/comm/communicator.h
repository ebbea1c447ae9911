// What ranks say to each other, in two kinds of traffic: Collectives over arena memory (gradients, weights), started
// and waited for separately; and small HostMessages (decisions, agreement, gathering results). Calls come from one
// thread of a rank at a time, in the same order on all ranks: from the main thread, and on GPUs from the thread in
// which backward runs its hooks, while the main thread waits for it. MPI is started for that (MPI_THREAD_SERIALIZED).
// Every wait has a deadline (CommOptions::timeout_s): when it passes, Error(internal) names the operation, the ranks
// that are late, and what each rank was doing. What one rank does alone while the others wait goes through
// run_together.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace blip {

// What is in flight; finished by wait of what started it. Movable, empty by default.
class Work {
  public:
    virtual ~Work() = default;
};
using WorkPtr = std::unique_ptr<Work>;

// A part of a gathered buffer: see Collectives::start_all_gather.
struct GatherPart {
    void* buffer = nullptr;
    std::int64_t bytes = 0;
};

// What is known when a wait has run out of time. late: the ranks that others wait for, as far as it can be told.
// table: a headline and a line for each rank, with its phase and step; may be empty.
struct HangFacts {
    std::vector<int> late;
    std::string table;
};

// Small messages between the hosts' processes. Always MPI.
class HostMessages {
  public:
    virtual ~HostMessages() = default;

    virtual int rank() const = 0;
    virtual int size() const = 0;
    // This rank among those of its host, and their number. Ranks of a host share its memory and its disks.
    virtual int node_rank() const = 0;
    virtual int node_size() const = 0;

    // Sums over ranks, on all. values must stay alive and untouched until wait.
    virtual WorkPtr start_host_sum(std::span<double> values, const char* what) = 0;
    // wait(nullptr) does nothing.
    virtual void wait(WorkPtr work) = 0;
    void host_sum(std::span<double> values, const char* what) { wait(start_host_sum(values, what)); }
    // rank 0's bytes to all (sizes may differ before)
    virtual void broadcast(std::string& bytes, const char* what) = 0;
    // The bytes of each host's first rank (node_rank 0) to its others, in place (there only read); as many on all
    // ranks of the host.
    // Collective over the ranks of a host only: hosts may differ in how often they call it. For whole models, too.
    virtual void node_broadcast(std::span<std::byte> bytes, const char* what) = 0;
    // every rank's bytes on rank 0 in rank order (empty vector elsewhere)
    virtual std::vector<std::string> gather(const std::string& bytes, const char* what) = 0;
    // Every rank's bytes on every rank, in rank order.
    virtual std::vector<std::string> all_gather_strings(const std::string& bytes, const char* what) = 0;
    // No rank passes before all have come.
    virtual void barrier(const char* what) = 0;

    // After a wait has run out of time, given the ranks whose parts are missing (empty: not known): who is late, and
    // what each rank of the job was doing. One rank gets to tell it; the others come back only if that one fails to end
    // the job. Takes seconds at most.
    virtual HangFacts hang_facts(const std::vector<int>& awaited) { return {awaited, ""}; }
    // Called now and then in long waits, so that ranks of other hosts get answers for their hang_facts.
    virtual void answer_ranks() {}
};

// Sums and gathers over arena memory, and that memory. NCCL on GPUs, MPI on CPUs.
class Collectives {
  public:
    virtual ~Collectives() = default;

    virtual int rank() const = 0;
    virtual int size() const = 0;

    // Zeroed memory for arenas, 4096-byte aligned (on GPUs: device memory registered with the library).
    virtual std::shared_ptr<void> allocate(std::size_t bytes) = 0;

    // receive[i] = sum over ranks of send[rank * count + i], i < count; send holds size() * count floats.
    // In place: receive may be send + rank * count; otherwise the two must not overlap. send stays untouched until
    // wait. The order of the summation is the same in every run with the same number of ranks.
    virtual WorkPtr start_reduce_scatter(const float* send, float* receive, std::int64_t count, const char* what) = 0;
    // In place: this rank's bytes stand at buffer + rank * bytes; afterwards every rank's do. bytes is a multiple of 4.
    virtual WorkPtr start_all_gather(void* buffer, std::int64_t bytes, const char* what) = 0;
    // Several at once, to be waited for in order. NCCL starts them together, with the cost of one.
    virtual std::vector<WorkPtr> start_all_gathers(std::span<const GatherPart> parts, const char* what) {
        std::vector<WorkPtr> works;
        for (const GatherPart& part : parts) works.push_back(start_all_gather(part.buffer, part.bytes, what));
        return works;
    }
    // After it returns, the computation that follows sees the result. On GPUs the host does not wait: the device's
    // compute stream does. wait(nullptr) does nothing.
    virtual void wait(WorkPtr work) = 0;
    // Host wait for something on the device that may depend on other ranks: polls reached() with back-off, watches for
    // failures of the library meanwhile, and throws like any other wait after the deadline.
    virtual void wait_until(const std::function<bool()>& reached, const char* what) = 0;
    // After the last wait of a series, before a long computation: returns once every rank has its data. MPI moves data
    // only while it is called, so a rank that went off to compute would leave the others waiting; where the hardware
    // moves the data there is nothing to do.
    virtual void finish_exchanges() {}
    // After success, behind the last collective and before MPI ends: the library closes its connections on all ranks
    // together. Memory from allocate may live longer. Only host messages are left. Collective.
    virtual void finish() {}
};

// One object that does both, as MPI's does.
class Communicator : public HostMessages, public Collectives {
  public:
    int rank() const override = 0;
    int size() const override = 0;
    void wait(WorkPtr work) override = 0;
};

}    // namespace blip
