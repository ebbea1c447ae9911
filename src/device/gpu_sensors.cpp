// See gpu_sensors.h. Functions and constants as NVML's reference documents them; an nvmlReturn_t of 0 is success.
#include "blip/device/gpu_sensors.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

namespace blip {

using nlohmann::json;

namespace {

constexpr unsigned temperature_of_gpu = 0;               // NVML_TEMPERATURE_GPU
constexpr int clock_sm = 1, clock_memory = 2;            // NVML_CLOCK_SM, NVML_CLOCK_MEM
constexpr int uncorrected = 1, since_driver_load = 0;    // NVML_MEMORY_ERROR_TYPE_UNCORRECTED, NVML_VOLATILE_ECC

// nvmlTemperature_v1_t; version: its size, and the number of the layout above 24 bits
struct Temperature {
    unsigned version = sizeof(Temperature) | 1U << 24;
    unsigned sensor = temperature_of_gpu;
    int celsius = 0;
};
static_assert(sizeof(Temperature) == 12);

constexpr std::array<std::pair<std::uint64_t, const char*>, 9> reasons = {{{0x1, "gpu_idle"},
                                                                           {0x2, "applications_clocks_setting"},
                                                                           {0x4, "sw_power_cap"},
                                                                           {0x8, "hw_slowdown"},
                                                                           {0x10, "sync_boost"},
                                                                           {0x20, "sw_thermal_slowdown"},
                                                                           {0x40, "hw_thermal_slowdown"},
                                                                           {0x80, "hw_power_brake_slowdown"},
                                                                           {0x100, "display_clock_setting"}}};

// Calls a function of a library, if it is there; true if that returned 0.
template <class... Arguments>
bool call(void* library, const char* name, Arguments... arguments) {
    const auto function = reinterpret_cast<int (*)(Arguments...)>(::dlsym(library, name));
    return function != nullptr && function(arguments...) == 0;
}

// The reasons for a warning among those of a GPU; empty if it is not slowed down, or not known to be.
std::vector<std::string> troubles_of(const json& gpu) {
    std::vector<std::string> names;
    const json reasons = gpu.value("slowed_by", json::array());
    for (const json& name : reasons)
        if (name == "hw_slowdown" || name == "sw_thermal_slowdown" || name == "hw_thermal_slowdown" ||
            name == "hw_power_brake_slowdown")
            names.push_back(name);
    return names;
}

// The same GPU before; an empty object if there is none.
json same_gpu(const json& gpu, const json& before) {
    for (const json& other : before)
        if (other.at("rank") == gpu.at("rank") && other.at("gpu") == gpu.at("gpu")) return other;
    return json::object();
}

}    // namespace

std::vector<std::string> names_of_reasons(std::uint64_t slowed_by) {
    std::vector<std::string> names;
    for (const auto& [bit, name] : reasons)
        if ((slowed_by & bit) != 0) names.emplace_back(name);
    for (std::uint64_t bit = 0x200; bit != 0; bit <<= 1)
        if ((slowed_by & bit) != 0) names.push_back(fmt::format("{:#x}", bit));
    return names;
}

json to_json(const GpuReading& reading) {
    json members = json::object();
    const auto add = [&](const char* name, const auto& value) {
        if (value) members[name] = *value;
    };
    add("temperature_c", reading.temperature_c);
    add("power_w", reading.power_w);
    add("sm_mhz", reading.sm_mhz);
    add("sm_mhz_max", reading.sm_mhz_max);
    add("memory_mhz", reading.memory_mhz);
    add("ecc_uncorrected", reading.ecc_uncorrected);
    if (reading.slowed_by) members["slowed_by"] = names_of_reasons(*reading.slowed_by);
    return members;
}

std::vector<std::string> gpu_warnings(const json& now, const json& before) {
    std::vector<std::string> warnings;
    for (const json& gpu : now) {
        const std::string who = fmt::format("GPU {} of rank {} on {}", gpu.at("gpu").get<std::string>(),
                                            gpu.at("rank").get<int>(), gpu.at("host").get<std::string>());
        const json earlier = same_gpu(gpu, before);
        const auto troubles = troubles_of(gpu);
        if (!troubles.empty() && troubles_of(earlier).empty()) {
            const auto is_heat = [](const std::string& name) { return name.find("thermal") != std::string::npos; };
            const bool heat = std::ranges::any_of(troubles, is_heat);
            const bool brake = std::ranges::find(troubles, "hw_power_brake_slowdown") != troubles.end();
            const std::string degrees =
                gpu.contains("temperature_c") ? fmt::format(" at {} degrees C", gpu["temperature_c"].get<int>()) : "";
            warnings.push_back(
                fmt::format("{} is slowed down by {} ({}){}: every rank waits for it; have its {} checked", who,
                            heat    ? "heat"
                            : brake ? "its power brake"
                                    : "its hardware",
                            fmt::join(troubles, ", "), degrees,
                            heat    ? "cooling"
                            : brake ? "power supply"
                                    : "cooling and power"));
        }
        if (!gpu.contains("ecc_uncorrected") || !earlier.contains("ecc_uncorrected")) continue;
        const auto errors = gpu["ecc_uncorrected"].get<std::uint64_t>();
        const auto old_errors = earlier["ecc_uncorrected"].get<std::uint64_t>();
        if (errors > old_errors)
            warnings.push_back(
                fmt::format("{} had {} memory errors that ECC could not correct, {} since its driver was "
                            "loaded: what was computed meanwhile may be wrong; have it checked",
                            who, errors - old_errors, errors));
    }
    return warnings;
}

// Both libraries are left open: a driver that was initialised must not be unloaded.
std::optional<GpuSensors> GpuSensors::open(int index) {
    void* driver = ::dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    void* library = driver == nullptr ? nullptr : ::dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    std::array<char, 64> address{};
    void* device = nullptr;
    if (library == nullptr ||
        !call<char*, int, int>(driver, "cuDeviceGetPCIBusId", address.data(), static_cast<int>(address.size()),
                               index) ||
        !call<>(library, "nvmlInit_v2") ||
        !call<const char*, void**>(library, "nvmlDeviceGetHandleByPciBusId_v2", address.data(), &device))
        return std::nullopt;
    return GpuSensors(library, device, address.data());
}

GpuReading GpuSensors::read() const {
    GpuReading reading;
    unsigned value = 0;
    Temperature temperature;
    if (call<void*, Temperature*>(library_, "nvmlDeviceGetTemperatureV", device_, &temperature))
        reading.temperature_c = temperature.celsius;
    else if (call<void*, unsigned, unsigned*>(library_, "nvmlDeviceGetTemperature", device_, temperature_of_gpu,
                                              &value))    // drivers before R570
        reading.temperature_c = value;
    if (call<void*, unsigned*>(library_, "nvmlDeviceGetPowerUsage", device_, &value)) reading.power_w = value / 1000;
    const auto clock = [&](const char* function, int which) -> std::optional<std::int64_t> {
        if (!call<void*, int, unsigned*>(library_, function, device_, which, &value)) return std::nullopt;
        return value;
    };
    reading.sm_mhz = clock("nvmlDeviceGetClockInfo", clock_sm);
    reading.sm_mhz_max = clock("nvmlDeviceGetMaxClockInfo", clock_sm);
    reading.memory_mhz = clock("nvmlDeviceGetClockInfo", clock_memory);
    unsigned long long bits = 0;
    for (const char* name :    // the second one in drivers before R535
         {"nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"})
        if (!reading.slowed_by && call<void*, unsigned long long*>(library_, name, device_, &bits))
            reading.slowed_by = bits;
    unsigned long long errors = 0;
    if (call<void*, int, int, unsigned long long*>(library_, "nvmlDeviceGetTotalEccErrors", device_, uncorrected,
                                                   since_driver_load, &errors))
        reading.ecc_uncorrected = errors;
    return reading;
}

}    // namespace blip
