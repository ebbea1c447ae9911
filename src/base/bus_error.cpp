// See bus_error.h. The handler may use nothing that is not async-signal-safe: names are made beforehand.
#include "blip/base/bus_error.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <span>
#include <string>

#include "blip/base/error.h"
#include "blip/base/printable.h"

namespace blip {
namespace {

struct Slot {
    std::atomic<std::uintptr_t> begin{0};    // 0: free
    std::atomic<std::size_t> bytes{0};
    std::array<char, 512> file{};    // ends with 0
};
std::array<Slot, 1024> slots;
std::mutex changing;
struct sigaction before {};
std::array<char, 256> whose{};    // "error: rank 3 on node7: "

void say(const char* text) { (void)!::write(STDERR_FILENO, text, std::strlen(text)); }

void on_bus_error(int, siginfo_t* info, void*) {
    const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
    for (const Slot& slot : slots) {
        const std::uintptr_t begin = slot.begin;
        if (begin == 0 || address < begin || address - begin >= slot.bytes) continue;
        say(whose.data());
        say(slot.file.data());
        say(" cannot be read where it is mapped: its disk failed, or it was cut short meanwhile\n");
        ::_exit(static_cast<int>(ExitCode::io));
    }
    ::sigaction(SIGBUS, &before, nullptr);    // the access is made once more, and is then that handler's
}

void copy(const std::string& text, std::span<char> to) {
    const std::size_t length = std::min(text.size(), to.size() - 1);
    std::memcpy(to.data(), text.data(), length);
    to[length] = '\0';
}

}    // namespace

void install_bus_error_handler() {
    const std::lock_guard lock(changing);
    copy(fmt::format("error: rank {} on {}: ", launcher_rank(), host_name()), whose);
    struct sigaction action {};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO;
    struct sigaction current {};
    ::sigaction(SIGBUS, &action, &current);
    if (current.sa_sigaction != on_bus_error) before = current;
}

std::shared_ptr<const std::byte> own_mapping(void* memory, std::size_t bytes, const std::filesystem::path& file) {
    static std::once_flag once;
    std::call_once(once, install_bus_error_handler);
    Slot* named = nullptr;
    {
        const std::lock_guard lock(changing);
        const auto free = std::find_if(slots.begin(), slots.end(), [](const Slot& slot) { return slot.begin == 0; });
        if (free != slots.end()) {
            named = &*free;
            copy(printable_line(file.string()), named->file);
            named->bytes = bytes;
            named->begin = reinterpret_cast<std::uintptr_t>(memory);
        }
    }
    return {static_cast<const std::byte*>(memory), [=](const std::byte*) {
                const std::lock_guard lock(changing);
                if (named != nullptr) named->begin = 0;    // before something else may be mapped there
                ::munmap(memory, bytes);
            }};
}

}    // namespace blip
