// One function a verb; called by main.cpp.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "blip/base/error.h"
#include "blip/comm/communicator.h"
#include "blip/comm/mpi/session.h"
#include "blip/options/options.h"

namespace blip {

// communicator: over all ranks of the session, for host messages; training on GPUs puts NCCL's on top of it.
ExitCode run_train(Options options, const MpiSession& session, std::unique_ptr<Communicator> communicator);
ExitCode run_evaluate(Options options, const MpiSession& session, std::unique_ptr<Communicator> communicator);
// These need no MPI.
ExitCode run_caption(Options options);
ExitCode run_export(const Options& options);
// words: the arguments behind the verb. These have options of their own, as they need nothing that the others need.
ExitCode run_score(const std::vector<std::string>& words);
ExitCode run_verify(const std::vector<std::string>& words);

}    // namespace blip
