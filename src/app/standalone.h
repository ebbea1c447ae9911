// What the programs do without MPI and LibTorch. Called by main.cpp, compute_main.cpp and score_main.cpp.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "blip/base/error.h"
#include "blip/options/parse.h"

namespace blip {

inline constexpr const char* cpu_program = "blip_mpi_cpu";
inline constexpr const char* cuda_program = "blip_mpi_cuda";
inline constexpr const char* score_program = "blip_mpi_score";
inline constexpr const char* pack_program = "coco_pack";
inline constexpr const char* out_of_memory =
    "out of memory: use more ranks, a smaller --micro-batch or a smaller --model";

// Inside a catch block: what a person is told about whatever was thrown, with a remedy where memory ran out, and its
// exit code.
std::pair<std::string, ExitCode> describe_current_exception();

// Closed standard streams become /dev/null: a file opened later would receive the log's lines in their place.
void open_standard_streams();

// Runs a verb that needs no other process; an error becomes a line of the log. Returns the exit code.
int run_alone(const std::function<ExitCode()>& verb);

// Prints help or configuration where the command line asks for one of them, under a launcher on the first rank. Returns
// whether it does.
bool answer(const ParsedCommandLine& command);

// The path of a program in this one's folder.
std::filesystem::path program_beside(const char* name);
// Replaces this process by it: the same process id, streams, environment and name (argv[0]). words: its arguments.
// Throws missing_input where it cannot be started.
[[noreturn]] void become(const char* name, const std::vector<std::string>& words);

// What --deterministic needs in the environment before CUDA's libraries and NCCL start, where nothing else is set: sums
// over ranks have one order only if NCCL may not choose. Returns warnings about what is set otherwise.
std::vector<std::string> set_deterministic_environment();

}    // namespace blip
