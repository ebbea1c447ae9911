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
std::vector<CheckPart> check_parts();

// That work takes; what the parts time.
double seconds_of(const std::function<void()>& work);

// Sums and gathers of numbers whose results are known.
nlohmann::json check_ranks(const CheckPlace& place);
std::string tell_ranks(const std::vector<nlohmann::json>& ranks);
// The ranks' clocks at one moment. tell: throws internal where they are more than clock_limit_s apart: a run's lock,
// which hosts judge by its age, could be taken for that of a dead job.
nlohmann::json check_clocks(const CheckPlace& place);
std::string tell_clocks(const std::vector<nlohmann::json>& ranks);
inline constexpr double clock_limit_s = 10;
// Products of matrices of small whole numbers, which every precision holds exactly; and how fast large ones are.
nlohmann::json check_products(const CheckPlace& place);
std::string tell_products(const std::vector<nlohmann::json>& ranks);
// Memory of a GPU, written and read again.
nlohmann::json check_gpu_memory(const CheckPlace& place);
std::string tell_gpu_memory(const std::vector<nlohmann::json>& ranks);
// Clocks, temperature and memory errors, as the driver tells them. Throws where heat or a power brake slows a GPU down.
nlohmann::json check_gpu_health(const CheckPlace& place);
std::string tell_gpu_health(const std::vector<nlohmann::json>& ranks);

// A file of each rank in the folder: its speed, what is read back, and small files that are brought to disk one by one.
nlohmann::json check_output(const CheckPlace& place);
std::string tell_output(const std::vector<nlohmann::json>& ranks);
// A JPEG with known pixels, and one that is encoded and decoded.
nlohmann::json check_pictures(const CheckPlace& place);
std::string tell_pictures(const std::vector<nlohmann::json>& ranks);

// make_sample and coco_pack, which lie beside this program, draw and pack a data set into the folder. Called before MPI
// starts, as it starts processes. Returns what went wrong, or nothing.
std::string draw_check_data(const std::filesystem::path& folder);
// Every picture and caption of that data set against its digest.
nlohmann::json check_packed(const CheckPlace& place);
std::string tell_packed(const std::vector<nlohmann::json>& ranks);
// 20 steps of the tiny preset on it, on all ranks, and their first and last loss, which are known.
nlohmann::json check_training(const CheckPlace& place);
std::string tell_training(const std::vector<nlohmann::json>& ranks);

}    // namespace blip
