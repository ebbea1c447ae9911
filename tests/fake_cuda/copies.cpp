// See copies.h.
#include "tests/fake_cuda/copies.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <vector>

#include "tests/fake_cuda/fake_cuda.h"

namespace blip::fake_cuda {
namespace {

struct Copy {
    long point;
    char* host;
    std::vector<char> bytes;
    bool to_host;
};

std::mutex copies_mutex;
std::vector<Copy>& under_way() {
    static auto* const all = new std::vector<Copy>;
    return *all;
}
long last_point = 0, reached_point = 0;

// Whether it was as it has to be.
bool finish(const Copy& copy) {
    if (!copy.to_host) return std::memcmp(copy.host, copy.bytes.data(), copy.bytes.size()) == 0;
    std::memcpy(copy.host, copy.bytes.data(), copy.bytes.size());
    return true;
}

template <class Which>
void finish_those(const Which& which) {
    bool all_well = true;
    {
        const std::lock_guard lock(copies_mutex);
        const auto end = std::remove_if(under_way().begin(), under_way().end(), [&](const Copy& copy) {
            if (!which(copy)) return false;
            all_well = finish(copy) && all_well;
            return true;
        });
        under_way().erase(end, under_way().end());
    }
    if (!all_well) violation("page-locked memory was changed while the device may still have been copying from it");
}

}    // namespace

void copy_to_host_later(void* page_locked, const void* bytes, std::size_t count) {
    const auto* from = static_cast<const char*>(bytes);
    Copy copy{0, static_cast<char*>(page_locked), std::vector<char>(from, from + count), true};
    std::memset(page_locked, 0xff, count);
    ++counts().copies_to_host_behind_events;
    const std::lock_guard lock(copies_mutex);
    copy.point = ++last_point;
    under_way().push_back(std::move(copy));
}

void copied_from_host(const void* page_locked, std::size_t count) {
    const auto* from = static_cast<const char*>(page_locked);
    Copy copy{0, const_cast<char*>(from), std::vector<char>(from, from + count), false};
    const std::lock_guard lock(copies_mutex);
    copy.point = ++last_point;
    under_way().push_back(std::move(copy));
}

long point_in_queue() {
    const std::lock_guard lock(copies_mutex);
    return ++last_point;
}

bool is_reached(long point) {
    const std::lock_guard lock(copies_mutex);
    return point <= reached_point;
}

void reached(long point) {
    {
        const std::lock_guard lock(copies_mutex);
        reached_point = std::max(reached_point, point);
    }
    finish_those([point](const Copy& copy) { return copy.point <= point; });
}

void reached_everything() { reached(point_in_queue()); }

void finish_copies_of(const void* page_locked) {
    finish_those([page_locked](const Copy& copy) { return copy.host == page_locked; });
}

}    // namespace blip::fake_cuda
