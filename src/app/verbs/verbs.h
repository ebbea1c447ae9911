// One function a verb; called by main.cpp.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "blip/base/error.h"
#include "blip/comm/communicator.h"
#include "blip/comm/mpi/session.h"
#include "blip/options/options.h"
#include "src/app/output_folder.h"
#include "src/app/score/large_libraries.h"

namespace blip {

// communicator: over all ranks of the session, for host messages; training on GPUs puts NCCL's on top of it.
// build: what the program was built with (base/version.h), for the log.
ExitCode run_train(Options options, const MpiSession& session, std::unique_ptr<Communicator> communicator,
                   const char* build);
ExitCode run_evaluate(Options options, const MpiSession& session, std::unique_ptr<Communicator> communicator);
// What rank 0 prepared before MPI began.
struct CheckData {
    std::string folder;     // below --output; empty where none could be made
    std::string problem;    // why there is no data set in it, or nothing
    int code = 0;           // the exit code that goes with it
};
CheckData prepare_check(const Options& options, std::optional<TrialFolder>& folder);
ExitCode run_check(Options options, const MpiSession& session, std::unique_ptr<Communicator> communicator,
                   const CheckData& data);
// session and ranks: nullptr for a process by itself. Collective.
ExitCode run_caption(Options options, const MpiSession* session, HostMessages* ranks);
// These need no MPI.
ExitCode run_export(const Options& options);
// packed: reads references of a packed data set. clip: computes CLIPScore.
ExitCode run_score(const Options& options, const PackedReader& packed, const ClipScoring& clip);
// json: one JSON object in place of lines.
ExitCode run_verify(const VerifyOptions& options, bool json);
ExitCode run_report(const Options& options);
ExitCode run_status(const ShowOptions& options);

}    // namespace blip
