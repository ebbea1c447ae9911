// The parts of `blip_mpi check`. Called by verbs/check.cpp, on every rank.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "blip/comm/communicator.h"
#include "blip/options/options.h"
#include "blip/params/arena.h"

namespace blip {

// Where the parts are tried.
struct CheckPlace {
    const Options& options;    // threads, device and precision resolved
    ArenaPlacement placement;
    HostMessages& messages;
    Collectives& collectives;
    std::filesystem::path folder;    // below --output, the same on all ranks
};

struct CheckPart {
    const char* name;
    // What this rank finds; throws Error where something is wrong. Those that are `collective` talk to the other ranks.
    std::function<nlohmann::json(const CheckPlace&)> find;
    // Of what all ranks found, in rank order: a few words for people. On rank 0; throws Error where ranks do not agree.
    std::function<std::string(const std::vector<nlohmann::json>&)> tell;
};
// In the order in which they are tried: what others rest on comes first.
std::vector<CheckPart> machine_parts();
std::vector<CheckPart> storage_parts();
std::vector<CheckPart> training_parts();

// That work takes; what the parts time.
double seconds_of(const std::function<void()>& work);

// make_sample and coco_pack, which lie beside this program, draw and pack a data set into the folder. Called before MPI
// starts, as it starts processes. Returns what went wrong, or nothing.
std::string draw_check_data(const std::filesystem::path& folder);

}    // namespace blip
