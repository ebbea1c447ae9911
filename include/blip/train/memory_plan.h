// How much memory a training run will take on each rank, from its options: told by --dry-run and at the start of a run,
// which says at its end what it was. Called by the train verb; documented term by term in src/train/memory_plan.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "blip/data/packed/dataset.h"
#include "blip/options/options.h"

namespace blip {

// Captions of the training split, as far as memory depends on them.
struct CaptionLengths {
    int longest = 0;              // tokens, [DEC] and [SEP] included
    double trained_mean = 0;      // tokens behind the prompt, each of which takes a row of logits
    double trained_spread = 0;    // their standard deviation
};
CaptionLengths caption_lengths(const SplitTables& split, int prompt_length);

struct MemoryPart {
    std::string what;
    double bytes = 0;
};

// Of one rank. A GPU run has a table for the device and one for the host; on the CPU all is in the host's.
struct MemoryTable {
    std::vector<MemoryPart> held;      // from the first step to the end
    std::vector<MemoryPart> phases;    // what each phase adds while it lasts; one at a time, the largest counts
    double held_bytes() const;
    // the largest phase, on top of what is held
    double peak_bytes() const;
};

struct MemoryPlan {
    MemoryTable host;
    MemoryTable device;    // empty on the CPU
};

// What is in use before anything of the model is there, as measured: by the process on its host, libraries and the
// tables of the data set; on its GPU, which others may use, CUDA's context and NCCL's connections. 0: not known.
struct PresentMemory {
    std::uint64_t host_bytes = 0, device_bytes = 0;
};

// options: complete (device and precision resolved).
MemoryPlan plan_memory(const Options& options, const CaptionLengths& captions, std::int64_t parameters, int ranks,
                       PresentMemory present);

// Why this will not fit on a GPU of so many bytes, of which some are in use: "will need ...", with what to do; empty if
// it will, or if the GPU does not tell (total_bytes 0).
std::string gpu_shortage(const MemoryTable& device, std::uint64_t used_bytes, std::uint64_t total_bytes);

// For the log: "weights 853.0 MiB, ...", a line for what is held and one for each phase.
std::vector<std::string> describe(const MemoryTable& table);

// What this process may still take on this host: free and reclaimable memory, or what is left of the control group's
// limit if that is less. 0: unknown.
std::uint64_t available_host_bytes();

}    // namespace blip
