// Work without communication that any rank may fail at: opening files, checking options, loading weights. Used by
// src/app and the trainer.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "blip/comm/communicator.h"

namespace blip {

// Runs work on every rank. If it throws an Error on any, all ranks throw an AgreedError that holds each message once,
// with the ranks it came from unless those are all. Collective.
void run_together(HostMessages& communicator, const std::function<void()>& work);
// Every rank's value on every rank, in rank order. Collective.
std::vector<nlohmann::json> all_gather_json(HostMessages& communicator, const nlohmann::json& own, const char* what);
// Runs work on rank 0 and returns its text on all ranks; if it throws an Error, all throw it as an AgreedError.
// Collective.
std::string run_on_first_rank(HostMessages& communicator, const std::function<std::string()>& work);
// Runs work on rank 0, in a thread of its own, while the others wait for it, however long it takes: as long as it uses
// the processor, rank 0 tells them so, and --comm-timeout counts from the last time it did. Returns on all ranks once
// it is done; if it throws, rank 0 throws the same and the others are not told. what: names the work in messages.
// work must not use the communicator. Collective.
void first_rank_works(HostMessages& communicator, const char* what, const std::function<void()>& work);

}    // namespace blip
