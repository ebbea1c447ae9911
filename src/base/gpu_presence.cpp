// See gpu_presence.h.
#include "blip/base/gpu_presence.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>

namespace blip {
namespace {

// The driver's functions, as cuda.h declares them (CUresult is an enum; 0 is success).
using Init = int (*)(unsigned flags);
using DeviceCount = int (*)(int* count);
using DeviceName = int (*)(char* name, int length, int device);
using DeviceMemory = int (*)(std::size_t* bytes, int device);
using DeviceAttribute = int (*)(int* value, int attribute, int device);
using MemoryInfo = int (*)(std::size_t* free, std::size_t* total);
using ErrorString = int (*)(int error, const char** text);

template <class Function>
Function find(void* library, const char* name) {
    return reinterpret_cast<Function>(::dlsym(library, name));
}

std::string words(ErrorString error_string, int error) {
    const char* text = nullptr;
    if (error_string != nullptr && error_string(error, &text) == 0 && text != nullptr)
        return fmt::format("{} (error {})", text, error);
    return fmt::format("error {}", error);
}

// What hides devices, if it is set.
std::string visibility() {
    const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
    return visible == nullptr ? "" : fmt::format(" (CUDA_VISIBLE_DEVICES is '{}')", visible);
}

constexpr int major_attribute = 75, minor_attribute = 76;

// Left open: a driver that was initialised must not be unloaded.
void* open_driver() { return ::dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL); }

}    // namespace

std::string gpu_name(int index) {
    void* library = open_driver();
    const auto name_of = library != nullptr ? find<DeviceName>(library, "cuDeviceGetName") : nullptr;
    const auto memory_of = library != nullptr ? find<DeviceMemory>(library, "cuDeviceTotalMem_v2") : nullptr;
    const auto attribute_of = library != nullptr ? find<DeviceAttribute>(library, "cuDeviceGetAttribute") : nullptr;
    char name[256] = {};
    std::size_t bytes = 0;
    int major = 0, minor = 0;
    // A CUdevice is the index itself.
    if (name_of == nullptr || memory_of == nullptr || attribute_of == nullptr ||
        name_of(name, sizeof name - 1, index) != 0 || memory_of(&bytes, index) != 0 ||
        attribute_of(&major, major_attribute, index) != 0 || attribute_of(&minor, minor_attribute, index) != 0)
        return fmt::format("GPU {}", index);
    return fmt::format("{}, {:.1f} GiB, sm_{}{}", name, static_cast<double>(bytes) / (1 << 30), major, minor);
}

int gpu_generation(int index) {
    void* library = open_driver();
    const auto attribute_of = library != nullptr ? find<DeviceAttribute>(library, "cuDeviceGetAttribute") : nullptr;
    int major = 0;
    return attribute_of != nullptr && attribute_of(&major, major_attribute, index) == 0 ? major : 0;
}

GpuMemory gpu_memory() {
    void* library = open_driver();
    const auto info = library != nullptr ? find<MemoryInfo>(library, "cuMemGetInfo_v2") : nullptr;
    std::size_t free = 0, total = 0;
    if (info == nullptr || info(&free, &total) != 0) return {};
    return {total, total - free};
}

GpuPresence find_gpus() {
    void* library = open_driver();
    if (library == nullptr) {
        const char* problem = ::dlerror();
        const std::string text = problem != nullptr ? problem : "libcuda.so.1";
        const bool absent = text.find("No such file") != std::string::npos;
        return {0,
                absent ? "no NVIDIA driver library (libcuda.so.1) is installed" : "the driver does not load: " + text};
    }
    const auto init = find<Init>(library, "cuInit");
    const auto device_count = find<DeviceCount>(library, "cuDeviceGetCount");
    const auto error_string = find<ErrorString>(library, "cuGetErrorString");
    if (init == nullptr || device_count == nullptr) return {0, "libcuda.so.1 lacks cuInit or cuDeviceGetCount"};
    if (const int error = init(0); error != 0)
        return {0, fmt::format("the NVIDIA driver reports: {}{}", words(error_string, error), visibility())};
    int count = 0;
    if (const int error = device_count(&count); error != 0)
        return {0, fmt::format("the NVIDIA driver reports: {}{}", words(error_string, error), visibility())};
    if (count <= 0) return {0, "the NVIDIA driver shows no GPU" + visibility()};
    return {count, ""};
}

}    // namespace blip
