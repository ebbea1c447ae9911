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

}    // namespace

GpuPresence find_gpus() {
    // Left open: a driver that was initialised must not be unloaded.
    void* library = ::dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
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
