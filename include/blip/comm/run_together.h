// Work without communication that any rank may fail at: opening files, checking options, loading weights. Used by
// src/app and the trainer.
#pragma once

#include <functional>

#include "blip/comm/communicator.h"

namespace blip {

// Runs work on every rank. If it throws an Error on any, all ranks throw an AgreedError that holds each message once,
// with the ranks it came from unless those are all. Collective.
void run_together(Communicator& communicator, const std::function<void()>& work);

}    // namespace blip
