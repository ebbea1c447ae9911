// See order.h.
#include "tests/fake_cuda/order.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <set>
#include <tuple>

namespace blip::fake_cuda {
namespace {

using Address = std::uintptr_t;

struct Block {
    Address end = 0;
    StreamKey owner = 0;
    bool owned = true;
    std::set<StreamKey> recorded;
    // The last time of each kind of access: an earlier one of the same stream and range says nothing more.
    std::map<std::tuple<Address, Address, StreamKey, bool>, long> accesses;    // begin, end, stream, written
};

std::mutex order_mutex;
// Threads and tensors may outlive static objects.
std::map<StreamKey, Clock>& clocks = *new std::map<StreamKey, Clock>;
std::map<Address, Block>& blocks = *new std::map<Address, Block>;
Clock& of_host = *new Clock;    // what the host has waited for

Address number(const void* address) { return reinterpret_cast<Address>(address); }

void merge(Clock& into, const Clock& other) {
    for (const auto& [stream, time] : other) {
        long& own = into[stream];
        own = std::max(own, time);
    }
}

long tick(StreamKey stream) {
    Clock& clock = clocks[stream];
    merge(clock, of_host);    // what is queued now comes after what the host has waited for
    return ++clock[stream];
}

Block* find(Address address) {
    auto block = blocks.upper_bound(address);
    if (block == blocks.begin()) return nullptr;
    --block;
    return address < block->second.end ? &block->second : nullptr;
}

}    // namespace

Clock clock_of(StreamKey stream) {
    const std::lock_guard lock(order_mutex);
    tick(stream);
    return clocks[stream];
}

void wait_for(StreamKey stream, const Clock& event) {
    const std::lock_guard lock(order_mutex);
    merge(clocks[stream], event);
}

void host_waited_for(const Clock& event) {
    const std::lock_guard lock(order_mutex);
    merge(of_host, event);
}

void host_waited_for_the_device() {
    const std::lock_guard lock(order_mutex);
    for (const auto& [stream, clock] : clocks) merge(of_host, clock);
}

void memory_made(const void* address, std::size_t bytes, StreamKey stream, bool without_stream) {
    const std::lock_guard lock(order_mutex);
    blocks[number(address)] = Block{number(address) + bytes, stream, !without_stream, {}, {}};
}

void memory_given_back(const void* address) {
    std::vector<std::string> found;
    {
        const std::lock_guard lock(order_mutex);
        const auto entry = blocks.find(number(address));
        if (entry == blocks.end()) {
            found.push_back("memory was given back twice");
        } else {
            Block& block = entry->second;
            merge(clocks[block.owner], of_host);
            for (const auto& [access, time] : block.accesses) {
                const StreamKey user = std::get<2>(access);
                if (block.owned && user != block.owner && block.recorded.count(user) == 0 &&
                    clocks[block.owner][user] < time)
                    found.push_back(
                        fmt::format("memory of stream {} was given back while stream {} may use it: no record_stream",
                                    block.owner, user));
            }
            blocks.erase(entry);
        }
    }
    for (const std::string& text : found) violation(text);
}

void use_recorded(const void* address, StreamKey stream) {
    const std::lock_guard lock(order_mutex);
    if (Block* block = find(number(address))) block->recorded.insert(stream);
}

bool is_use_recorded(const void* address) {
    const std::lock_guard lock(order_mutex);
    const Block* block = find(number(address));
    return block != nullptr && !block->recorded.empty();
}

void touch(const void* address, std::size_t bytes, bool written, StreamKey stream, const char* what) {
    if (address == nullptr || bytes == 0) return;
    std::vector<std::string> found;
    {
        const std::lock_guard lock(order_mutex);
        const Address begin = number(address), end = begin + bytes;
        ++counts().checked_accesses;
        const long now = tick(stream);
        Block* block = find(begin);
        if (block == nullptr) {
            found.push_back(fmt::format("{} uses memory that is not the device's, or not any more", what));
        } else {
            if (end > block->end) found.push_back(fmt::format("{} goes beyond the end of its memory", what));
            const Clock& own = clocks[stream];
            for (const auto& [access, time] : block->accesses) {
                const auto& [from, to, other, write] = access;
                if (other == stream || from >= end || begin >= to || !(written || write)) continue;
                const auto known = own.find(other);
                if (known == own.end() || known->second < time)
                    found.push_back(fmt::format("{} {} on stream {} what stream {} {} without an order between them",
                                                what, written ? "writes" : "reads", stream, other,
                                                write ? "wrote" : "read"));
            }
            block->accesses[{begin, end, stream, written}] = now;
        }
    }
    for (const std::string& text : found) violation(text);
}

}    // namespace blip::fake_cuda
