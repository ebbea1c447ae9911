// Device and page-locked memory of the pretended device, what it counted and the violations it saw. See fake_cuda.h.
#include <c10/core/Allocator.h>
#include <c10/core/DeviceType.h>
#include <c10/cuda/CUDAFunctions.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <sstream>

#include "blip/base/phase.h"
#include "tests/fake_cuda/copies.h"
#include "tests/fake_cuda/order.h"
#include "tests/fake_cuda/record.h"

namespace blip::fake_cuda {
namespace {

// User addresses are below 2^47; 0x7f... becomes 0x9f..., which no instruction can reach.
constexpr std::uintptr_t shift = std::uintptr_t{1} << 45;
constexpr std::size_t page = 4096;

std::mutex violations_mutex;
std::vector<std::string>& violations() {
    static auto* const all = new std::vector<std::string>;    // threads may outlive static objects
    return *all;
}

// Behind everything else that happens in the process.
struct AtExit {
    ~AtExit() {
        if (const char* file = std::getenv("FAKE_CUDA_COUNTS")) {
            if (std::FILE* out = std::fopen(file, "a")) {
                const Counts& c = counts();
                std::fprintf(out,
                             "kernels %ld host_waits %ld waits_in_steps %ld copies_to_host %ld collectives %ld "
                             "checked %ld contexts %ld violations %zu\n",
                             c.kernels.load(), c.host_waits.load(), c.waits_in_steps.load(),
                             c.copies_to_host_behind_events.load(), c.collectives.load(), c.checked_accesses.load(),
                             context_count(), violations().size());
                std::fclose(out);
            }
        }
        if (violations().empty()) return;
        std::fprintf(stderr, "the pretended device saw %zu violations\n", violations().size());
        std::fflush(nullptr);
        _exit(violation_exit_code);
    }
} at_exit;

std::mutex page_locked_mutex;
std::map<std::uintptr_t, std::size_t>& page_locked() {
    static auto* const all = new std::map<std::uintptr_t, std::size_t>;
    return *all;
}

void release_page_locked(void* memory) {
    if (memory == nullptr) return;
    {
        const std::lock_guard lock(page_locked_mutex);
        page_locked().erase(reinterpret_cast<std::uintptr_t>(memory));
    }
    // The real allocator hands it out again only when the copies that use it are through.
    finish_copies_of(memory);
    std::free(memory);
}

struct DeviceMemory final : c10::Allocator {
    c10::DataPtr allocate(std::size_t bytes) override {
        void* memory = bytes == 0 ? nullptr : fake_cuda::allocate(bytes);
        return {memory, memory, &release, c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(current_device()))};
    }
    c10::DeleterFnPtr raw_deleter() const override { return &release; }
    void copy_data(void* to, const void* from, std::size_t bytes) const override {
        std::memcpy(host_address(to), host_address(from), bytes);
    }
};

struct PageLockedMemory final : c10::Allocator {
    c10::DataPtr allocate(std::size_t bytes) override {
        void* memory = bytes == 0 ? nullptr : std::malloc(bytes);
        if (memory != nullptr) {
            std::memset(memory, 0x7f, bytes);
            const std::lock_guard lock(page_locked_mutex);
            page_locked()[reinterpret_cast<std::uintptr_t>(memory)] = bytes;
        }
        return {memory, memory, &release_page_locked, c10::Device(c10::kCPU)};
    }
    c10::DeleterFnPtr raw_deleter() const override { return &release_page_locked; }
    void copy_data(void* to, const void* from, std::size_t bytes) const override { std::memcpy(to, from, bytes); }
};

}    // namespace

Counts& counts() {
    static Counts all;
    return all;
}

bool planted(const char* fault) {
    const char* words = std::getenv("FAKE_CUDA");
    std::istringstream list(words != nullptr ? words : "");
    for (std::string word; list >> word;)
        if (word == fault) return true;
    return false;
}

void ask_device() {
    constexpr long kernels_before = 400;
    static const bool will_be_lost = planted("lost");
    TORCH_CHECK(!will_be_lost || counts().kernels < kernels_before,
                "CUDA error: unspecified launch failure\nSearch for `cudaErrorLaunchFailure' in NVIDIA's pages");
}

void violation(const std::string& text) {
    const std::lock_guard lock(violations_mutex);
    violations().push_back(text);
    if (violations().size() <= 20) std::fprintf(stderr, "the pretended device: %s\n", text.c_str());
}

std::vector<std::string> take_violations() {
    const std::lock_guard lock(violations_mutex);
    return std::exchange(violations(), {});
}

void host_waits(const char* why) {
    ++counts().host_waits;
    const auto mode = c10::cuda::warning_state().get_sync_debug_mode();
    TORCH_CHECK(mode != c10::cuda::SyncDebugMode::L_ERROR, "called a synchronizing CUDA operation: ", why);
    const auto phase = static_cast<Phase>(own_slot().phase.load());
    if (phase == Phase::forward || phase == Phase::backward || phase == Phase::updating ||
        phase == Phase::between_steps) {
        ++counts().waits_in_steps;
        violation(fmt::format("the host waits for the device within a training step ({}): {}", phase_name(phase), why));
    }
}

void* host_address(const void* device_address) {
    const auto address = reinterpret_cast<std::uintptr_t>(device_address);
    if (address == 0) return nullptr;
    TORCH_CHECK(is_device_address(device_address), "a host's address where a device's is wanted: ", device_address);
    return reinterpret_cast<void*>(address - shift);
}

bool is_device_address(const void* address) {
    return reinterpret_cast<std::uintptr_t>(address) >= (std::uintptr_t{1} << 47);
}

void* allocate(std::size_t bytes, bool without_stream) {
    need_context();
    const std::size_t length = (bytes + page - 1) / page * page + page;
    void* base = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    TORCH_CHECK(base != MAP_FAILED, "out of memory");
    *static_cast<std::size_t*>(base) = length;
    char* memory = static_cast<char*>(base) + page;
    // New memory is not zero: these are large numbers in fp32 and bf16.
    if (computing()) std::memset(memory, 0x7f, bytes);
    void* address = reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(memory) + shift);
    memory_made(address, bytes, current_stream(), without_stream);
    return address;
}

void release(void* device_address) {
    if (device_address == nullptr) return;
    if (is_use_recorded(device_address)) ask_device();    // the real allocator records an event
    memory_given_back(device_address);
    char* base = static_cast<char*>(host_address(device_address)) - page;
    munmap(base, *reinterpret_cast<std::size_t*>(base));
}

bool is_page_locked(const void* host_address) {
    const std::lock_guard lock(page_locked_mutex);
    const auto address = reinterpret_cast<std::uintptr_t>(host_address);
    auto block = page_locked().upper_bound(address);
    if (block == page_locked().begin()) return false;
    --block;
    return address < block->first + block->second;
}

c10::Allocator* device_allocator() {
    static DeviceMemory memory;
    return &memory;
}
c10::Allocator* page_locked_allocator() {
    static PageLockedMemory memory;
    return &memory;
}

namespace {
const bool registered = [] {
    c10::SetAllocator(c10::kCUDA, device_allocator());
    return true;
}();
}    // namespace

}    // namespace blip::fake_cuda
