// One function a verb; called by main.cpp.
#pragma once

#include "blip/base/error.h"
#include "blip/comm/mpi_session.h"
#include "blip/options/options.h"

namespace blip {

ExitCode run_train(Options options, const MpiSession& session);
ExitCode run_evaluate(Options options, const MpiSession& session);
// Needs no MPI.
ExitCode run_caption(Options options);

}    // namespace blip
