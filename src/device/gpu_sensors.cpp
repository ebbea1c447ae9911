// See gpu_sensors.h. Functions and constants as NVML's reference documents them; an nvmlReturn_t of 0 is success.
#include "blip/device/gpu_sensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <nlohmann/json.hpp>
#include <utility>

#include "blip/base/library_call.h"

namespace blip {

using nlohmann::json;

namespace {

constexpr unsigned temperature_of_gpu = 0;               // NVML_TEMPERATURE_GPU
constexpr int clock_sm = 1, clock_memory = 2;            // NVML_CLOCK_SM, NVML_CLOCK_MEM
constexpr int uncorrected = 1, since_driver_load = 0;    // NVML_MEMORY_ERROR_TYPE_UNCORRECTED, NVML_VOLATILE_ECC
constexpr unsigned long long event_xid = 0x8;            // nvmlEventTypeXidCriticalError

// nvmlTemperature_v1_t; version: its size, and the number of the layout above 24 bits
struct Temperature {
    unsigned version = sizeof(Temperature) | 1U << 24;
    unsigned sensor = temperature_of_gpu;
    int celsius = 0;
};
static_assert(sizeof(Temperature) == 12);

// nvmlEventData_t
struct Event {
    void* device = nullptr;
    unsigned long long type = 0, data = 0;    // data: the Xid; 999 one that has no number
    unsigned gpu_instance = 0, compute_instance = 0;
};
static_assert(sizeof(Event) == 32);

// What NVIDIA's list of Xid errors says of those that training meets.
constexpr const char *of_program = "mostly a program's error, this one's or another's on the GPU",
                     *of_memory = "have its memory checked", *of_gpu = "have it checked";
struct Xid {
    std::uint64_t number;
    const char *what, *then;
};
constexpr std::array<Xid, 13> well_known = {
    {{13, "an exception in a kernel", of_program},
     {31, "an access to memory that is not there", of_program},
     {43, "a program's work was stopped after its error", of_program},
     {45, "a program's work was removed, as it ended or after another error", of_program},
     {48, "a memory error that ECC could not correct", of_memory},
     {61, "its controller stopped at a breakpoint", of_gpu},
     {62, "its controller halted", of_gpu},
     {63, "bad memory is marked to be replaced", "that needs a reset of the GPU"},
     {64, "bad memory could not be marked to be replaced", of_memory},
     {74, "an error of an NVLink", "have its links checked"},
     {79, "it no longer answers on the PCI bus", "have it and its power checked"},
     {94, "a memory error that ECC could not correct, which reached one program", of_memory},
     {95, "a memory error that ECC could not correct, which may reach all programs", of_memory}}};

constexpr std::array<std::pair<std::uint64_t, const char*>, 9> reasons = {{{0x1, "gpu_idle"},
                                                                           {0x2, "applications_clocks_setting"},
                                                                           {0x4, "sw_power_cap"},
                                                                           {0x8, "hw_slowdown"},
                                                                           {0x10, "sync_boost"},
                                                                           {0x20, "sw_thermal_slowdown"},
                                                                           {0x40, "hw_thermal_slowdown"},
                                                                           {0x80, "hw_power_brake_slowdown"},
                                                                           {0x100, "display_clock_setting"}}};

template <class... Arguments>
bool call(void* library, const char* name, Arguments... arguments) {
    return library_call<Arguments...>(library, name, arguments...) == 0;
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

std::string named_gpu(const json& gpu) {
    return fmt::format("GPU {} of rank {} on {}", gpu.at("gpu").get<std::string>(), gpu.at("rank").get<int>(),
                       gpu.at("host").get<std::string>());
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
    add("xids", reading.xids);
    if (reading.slowed_by) members["slowed_by"] = names_of_reasons(*reading.slowed_by);
    return members;
}

std::vector<std::string> gpu_warnings(const json& now, const json& before) {
    std::vector<std::string> warnings;
    for (const json& gpu : now) {
        const std::string who = named_gpu(gpu);
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

std::vector<std::string> xid_warnings(const json& gpu) {
    std::vector<std::string> warnings;
    const json numbers = gpu.value("xids", json::array());
    for (const json& number : numbers) {
        const auto xid = std::ranges::find(well_known, number.get<std::uint64_t>(), &Xid::number);
        warnings.push_back(fmt::format("{}: its driver reports Xid {}{}", named_gpu(gpu), number.get<std::uint64_t>(),
                                       xid == well_known.end() ? "; NVIDIA's list of Xid errors tells what it means"
                                                               : fmt::format(" ({}): {}", xid->what, xid->then)));
    }
    return warnings;
}

// An event set of NVML, in which the driver collects what happens to one GPU.
class GpuSensors::Errors {
  public:
    Errors(void* library, void* set) : library_(library), set_(set) {}
    ~Errors() { call<void*>(library_, "nvmlEventSetFree", set_); }
    Errors(const Errors&) = delete;

    std::vector<std::uint64_t> take() {
        constexpr int most = 1000;    // of one call, should they come as fast as they are read
        const std::lock_guard lock(mutex_);
        std::vector<std::uint64_t> numbers;
        Event event;
        for (int i = 0; i < most; ++i) {
            if (!call<void*, Event*, unsigned>(library_, "nvmlEventSetWait_v2", set_, &event, /*timeout in ms*/ 0U))
                break;    // none is left (NVML_ERROR_TIMEOUT), or the GPU is lost
            if (event.type == event_xid && std::ranges::find(numbers, event.data) == numbers.end())
                numbers.push_back(event.data);
        }
        return numbers;
    }

  private:
    std::mutex mutex_;    // a set is not for two threads at once
    void* library_;
    void* set_;
};

void GpuSensors::watch_errors() {
    void* set = nullptr;
    if (::dlsym(library_, "nvmlEventSetWait_v2") == nullptr || !call<void**>(library_, "nvmlEventSetCreate", &set))
        return;
    auto errors = std::make_shared<Errors>(library_, set);
    if (call<void*, unsigned long long, void*>(library_, "nvmlDeviceRegisterEvents", device_, event_xid, set))
        errors_ = std::move(errors);
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
    if (errors_) reading.xids = errors_->take();
    return reading;
}

}    // namespace blip
