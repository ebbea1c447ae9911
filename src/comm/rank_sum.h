// The sum that a reduce-scatter is: the same order whatever comes first. Used by mpi_communicator.cpp.
#pragma once

#include <cstdint>

namespace blip {

// receive[i] = sum over r = 0..N-1 in this order; parts: the other ranks' [N-1, count] in rank order. own may be
// receive.
void sum_in_rank_order(const float* own, const float* parts, int rank, int size, float* receive, std::int64_t count);

}    // namespace blip
