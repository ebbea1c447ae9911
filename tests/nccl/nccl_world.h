// The collectives and the device that the tests of this folder share.
#pragma once

#include <boost/test/unit_test.hpp>
#include <vector>

#include "blip/comm/nccl/collectives.h"

namespace blip::test {

// Boost precondition: a GPU, or the fake one.
boost::test_tools::assertion_result has_device(boost::unit_test::test_unit_id);

// Collective. This rank's device; where ranks share a GPU, NCCL is told that they are on different hosts.
std::unique_ptr<Collectives> make_nccl_world(const CommOptions& options);
// Made once for all tests.
Collectives& nccl_world();

// Copies queued on the compute stream; the vectors must live until finish_device_work.
void upload(float* device, const std::vector<float>& values);
void download(std::vector<float>& values, const float* device);
// Waits, as the trainer does, until everything queued is done.
void finish_device_work();

}    // namespace blip::test
