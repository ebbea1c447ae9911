// What a GPU's driver tells of its health, by NVML (libnvidia-ml.so.1), which is looked for at run time: neither its
// header nor a GPU is needed to build, and without the library nothing is told. Used by train/gpu_health and the verb
// check.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace blip {

// What the driver does not tell is absent.
struct GpuReading {
    std::optional<std::int64_t> temperature_c, power_w;
    std::optional<std::int64_t> sm_mhz, sm_mhz_max, memory_mhz;    // clocks: now, at most; of the memory
    std::optional<std::uint64_t> slowed_by;                        // bits of NVML's clocks event reasons
    std::optional<std::uint64_t> ecc_uncorrected;                  // errors since the driver was loaded
    std::optional<std::vector<std::uint64_t>> xids;                // the driver's errors since the last read, each once
};

// "hw_thermal_slowdown", ...: as nvidia-smi calls them; a bit that is not known by its number.
std::vector<std::string> names_of_reasons(std::uint64_t slowed_by);
// Members as above, with slowed_by by names; only those that are there.
nlohmann::json to_json(const GpuReading& reading);

// What to warn of: GPUs that heat or a power brake slows down (not a limit that somebody set, or having nothing to do),
// and errors of memory that became more. now, before: arrays of what ranks found, each the members of a reading with
// rank, host and gpu, its address; before is empty at first. A GPU that was slowed down before, too, is not told again.
std::vector<std::string> gpu_warnings(const nlohmann::json& now, const nlohmann::json& before);

// Of the members of one GPU: a line for each of its xids, with what the well-known ones mean.
std::vector<std::string> xid_warnings(const nlohmann::json& gpu);

class GpuSensors {
  public:
    // Of the GPU with this index among those that CUDA shows to this process. NVML counts all of the machine: it is
    // asked for the address on the PCI bus, which the driver tells of the index. nullopt without NVML, or where it does
    // not know the GPU.
    static std::optional<GpuSensors> open(int index);

    const std::string& address() const { return address_; }    // "0000:3b:00.0"
    // From now on read() tells the driver's errors (Xid). Without the functions, or on a GPU that does not report them
    // (as under MIG or vGPU): as before.
    void watch_errors();
    // Takes milliseconds or more; waits for nothing. By any thread.
    GpuReading read() const;

  private:
    class Errors;

    GpuSensors(void* library, void* device, std::string address)
        : library_(library), device_(device), address_(std::move(address)) {}

    void* library_;
    void* device_;
    std::string address_;
    std::shared_ptr<Errors> errors_;
};

}    // namespace blip
