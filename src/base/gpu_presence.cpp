// See gpu_presence.h.
#include "blip/base/gpu_presence.h"

#include <fmt/format.h>

#include <cstdlib>

#include "blip/base/library_call.h"

namespace blip {
namespace {

// The driver's functions are called as cuda.h declares them (CUresult is an enum; 0 is success; a CUdevice is the index
// itself).

std::string words(void* driver, int error) {
    const char* text = nullptr;
    if (library_call<int, const char**>(driver, "cuGetErrorString", error, &text) == 0 && text != nullptr)
        return fmt::format("{} (error {})", text, error);
    return fmt::format("error {}", error);
}

// What hides devices, if it is set.
std::string visibility() {
    const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
    return visible == nullptr ? "" : fmt::format(" (CUDA_VISIBLE_DEVICES is '{}')", visible);
}

constexpr int major_attribute = 75, minor_attribute = 76;

bool read_attribute(void* driver, int index, int attribute, int& value) {
    return library_call<int*, int, int>(driver, "cuDeviceGetAttribute", &value, attribute, index) == 0;
}

// Left open: a driver that was initialised must not be unloaded.
void* open_driver() { return ::dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL); }

}    // namespace

std::string gpu_name(int index) {
    void* driver = open_driver();
    char name[256] = {};
    std::size_t bytes = 0;
    int major = 0, minor = 0;
    if (library_call<char*, int, int>(driver, "cuDeviceGetName", name, sizeof name - 1, index) != 0 ||
        library_call<std::size_t*, int>(driver, "cuDeviceTotalMem_v2", &bytes, index) != 0 ||
        !read_attribute(driver, index, major_attribute, major) ||
        !read_attribute(driver, index, minor_attribute, minor))
        return fmt::format("GPU {}", index);
    return fmt::format("{}, {:.1f} GiB, sm_{}{}", name, static_cast<double>(bytes) / (1 << 30), major, minor);
}

// A driver serves the runtimes of its own major number and of those before (CUDA's compatibility guide); code for an
// architecture runs on those after it, as what they lack is compiled anew (env/make/compile.mk).
std::string gpu_problem(int index, const GpuNeeds& needs) {
    void* driver = open_driver();
    const auto version_text = [](int version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); };
    int version = 0, major = 0, minor = 0;
    if (library_call<int*>(driver, "cuDriverGetVersion", &version) == 0 && version / 1000 < needs.cuda / 1000)
        return fmt::format("the NVIDIA driver is made for CUDA {}, this program for {}: install a newer driver",
                           version_text(version), version_text(needs.cuda));
    if (read_attribute(driver, index, major_attribute, major) &&
        read_attribute(driver, index, minor_attribute, minor) && 10 * major + minor < needs.architecture)
        return fmt::format("GPU {} ({}) is older than sm_{}, for which this program is compiled", index,
                           gpu_name(index), needs.architecture);
    return "";
}

int gpu_generation(int index) {
    int major = 0;
    return read_attribute(open_driver(), index, major_attribute, major) ? major : 0;
}

GpuMemory gpu_memory() {
    std::size_t free = 0, total = 0;
    if (library_call<std::size_t*, std::size_t*>(open_driver(), "cuMemGetInfo_v2", &free, &total) != 0) return {};
    return {total, total - free};
}

GpuPresence find_gpus() {
    void* driver = open_driver();
    if (driver == nullptr) {
        const char* problem = ::dlerror();
        const std::string text = problem != nullptr ? problem : "libcuda.so.1";
        const bool absent = text.find("No such file") != std::string::npos;
        return {0,
                absent ? "no NVIDIA driver library (libcuda.so.1) is installed" : "the driver does not load: " + text};
    }
    int count = 0;
    std::optional<int> error = library_call<unsigned>(driver, "cuInit", 0U);
    if (error == 0) error = library_call<int*>(driver, "cuDeviceGetCount", &count);
    if (!error) return {0, "libcuda.so.1 lacks cuInit or cuDeviceGetCount"};
    if (*error != 0) return {0, fmt::format("the NVIDIA driver reports: {}{}", words(driver, *error), visibility())};
    if (count <= 0) return {0, "the NVIDIA driver shows no GPU" + visibility()};
    return {count, ""};
}

}    // namespace blip
