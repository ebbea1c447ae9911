// What the tests of tests/ranks get from ranks_main.cpp: the job's session and a communicator over all its ranks.
#pragma once

#include "blip/comm/communicator.h"
#include "blip/comm/mpi/session.h"

namespace blip::test {

MpiSession& session();
// Made once for the tests; every rank runs the same cases in the same order.
Communicator& world();

}    // namespace blip::test
