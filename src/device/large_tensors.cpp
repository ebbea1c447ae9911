// See large_tensors.h: an allocator in front of LibTorch's, with a list of what is kept.
#include "blip/device/large_tensors.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace blip {
namespace {

class LargeTensors final : public c10::Allocator {
  public:
    explicit LargeTensors(c10::Allocator& small) : small_(small) {}

    c10::DataPtr allocate(std::size_t bytes) override {
        void* data = bytes < large_tensor_bytes || bytes > most ? nullptr : take(bytes);
        if (data == nullptr) data = small_.raw_allocate(bytes);    // which says what is wrong
        return {data, data, &release, c10::Device(c10::DeviceType::CPU)};
    }
    c10::DeleterFnPtr raw_deleter() const override { return &release; }
    void copy_data(void* to, const void* from, std::size_t bytes) const override { default_copy_data(to, from, bytes); }

    void drop_kept() {
        const std::lock_guard lock(mutex_);
        while (!kept_.empty()) drop_largest();
    }

    static LargeTensors& installed() {
        static auto* const allocator = new LargeTensors(*c10::GetCPUAllocator());    // outlives every tensor
        return *allocator;
    }

  private:
    struct Block {
        void* data;
        std::size_t bytes;
    };
    static constexpr std::uintptr_t page = 4096;
    static constexpr std::size_t most = std::size_t{1} << 46;

    void* take(std::size_t bytes) {
        const std::lock_guard lock(mutex_);
        // The smallest that is large enough and wastes little, else the largest that needs to grow but little.
        auto fits = kept_.end(), grows = kept_.end();
        for (auto block = kept_.begin(); block != kept_.end(); ++block) {
            if (block->bytes >= bytes && block->bytes - bytes <= bytes / 4) {
                if (fits == kept_.end() || block->bytes < fits->bytes) fits = block;
            } else if (block->bytes < bytes && bytes - block->bytes <= bytes / 4) {
                if (grows == kept_.end() || block->bytes > grows->bytes) grows = block;
            }
        }
        Block block{nullptr, (bytes + page - 1) / page * page};
        if (fits != kept_.end()) {
            block = take_kept(fits);
        } else {
            Block small{nullptr, 0};
            if (grows != kept_.end()) small = take_kept(grows);
            most_used_bytes_ = std::max(most_used_bytes_, used_bytes_ + block.bytes);
            while (!kept_.empty() && used_bytes_ + kept_bytes_ + block.bytes > most_used_bytes_) drop_largest();
            block.data = map(small, block.bytes);
            if (block.data == nullptr) return nullptr;
        }
        used_bytes_ += block.bytes;
        most_used_bytes_ = std::max(most_used_bytes_, used_bytes_);
        used_.emplace(block.data, block.bytes);
        return block.data;
    }
    Block take_kept(std::vector<Block>::iterator kept) {
        const Block block = *kept;
        kept_bytes_ -= block.bytes;
        kept_.erase(kept);
        return block;
    }
    // grown: a block of which this is to be made, if it has data. Null, and no such block any more, without memory.
    void* map(const Block& grown, std::size_t bytes) {
        for (;;) {
            void* data = grown.data != nullptr
                             ? mremap(grown.data, grown.bytes, bytes, MREMAP_MAYMOVE)
                             : mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (data != MAP_FAILED) {
                madvise(data, bytes, MADV_HUGEPAGE);    // a wish: refused where the kernel has none
                return data;
            }
            if (kept_.empty()) {
                if (grown.data != nullptr) munmap(grown.data, grown.bytes);
                return nullptr;
            }
            drop_largest();
        }
    }
    // Its pages are the cheapest to have anew, being the system's large ones.
    void drop_largest() {
        const Block block = take_kept(std::max_element(
            kept_.begin(), kept_.end(), [](const Block& a, const Block& b) { return a.bytes < b.bytes; }));
        munmap(block.data, block.bytes);
    }
    bool keep(void* data) {
        const std::lock_guard lock(mutex_);
        const auto found = used_.find(data);
        if (found == used_.end()) return false;
        used_bytes_ -= found->second;
        kept_bytes_ += found->second;
        kept_.push_back({data, found->second});
        used_.erase(found);
        return true;
    }
    static void release(void* data) {
        // Large tensors begin on a page; a small one that does is none of used_.
        LargeTensors& own = installed();
        if (reinterpret_cast<std::uintptr_t>(data) % page != 0 || !own.keep(data)) own.small_.raw_deallocate(data);
    }

    c10::Allocator& small_;
    std::mutex mutex_;
    std::unordered_map<void*, std::size_t> used_;    // address and bytes
    std::vector<Block> kept_;
    std::size_t used_bytes_ = 0, kept_bytes_ = 0, most_used_bytes_ = 0;
};

}    // namespace

void set_large_tensors_apart() { c10::SetCPUAllocator(&LargeTensors::installed()); }

void drop_kept_large_tensors() { LargeTensors::installed().drop_kept(); }

}    // namespace blip
