// libFuzzer target: the packed file on arbitrary bytes: opened, and all of it read. The mutator makes the checksums of
// HDF5's structures fit again, so that changes get past them. Run by tests/faults/fuzz_readers.sh.
#include <cstring>

#include "blip/data/packed/dataset.h"
#include "tests/faults/fuzz/input_file.h"

// HDF5's own, of which no header tells.
extern "C" std::uint32_t H5_checksum_lookup3(const void* bytes, std::size_t count, std::uint32_t start);
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace {

using namespace blip;

// Makes checksums fit wherever a structure is found.
class Mender {
  public:
    Mender(std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}

    void mend() {
        seal(0, 44);
        for (std::size_t at = 48; at + 4 <= size_; ++at) {
            if (is(at, "OHDR")) mend_object(at);
            if (is(at, "BTHD")) mend_tree(at);
            if (is(at, "FRHP")) mend_heap(at);
        }
    }

  private:
    bool is(std::size_t at, const char* mark) const { return within(at, 4) && std::memcmp(data_ + at, mark, 4) == 0; }
    bool within(std::uint64_t at, std::uint64_t bytes) const { return at <= size_ && bytes <= size_ - at; }
    std::uint64_t number(std::uint64_t at, int bytes) const {
        std::uint64_t value = 0;
        for (int i = 0; i < bytes && within(at, static_cast<std::uint64_t>(bytes)); ++i)
            value |= std::uint64_t{data_[at + static_cast<std::uint64_t>(i)]} << (8 * i);
        return value;
    }
    void put(std::uint64_t at, std::uint32_t checksum) {
        for (int i = 0; i < 4; ++i)
            data_[at + static_cast<std::uint64_t>(i)] = static_cast<std::uint8_t>(checksum >> (8 * i));
    }
    std::uint32_t sum(std::uint64_t at, std::uint64_t bytes) const { return H5_checksum_lookup3(data_ + at, bytes, 0); }
    void seal(std::uint64_t at, std::uint64_t bytes) {
        if (within(at, bytes) && within(at + bytes, 4)) put(at + bytes, sum(at, bytes));
    }
    void mend_messages(std::uint64_t at, std::uint64_t end, int depth) {
        while (at + 4 <= end && within(at, 4)) {
            const std::uint64_t bytes = number(at + 1, 2);
            const std::uint64_t place = number(at + 4, 8), length = number(at + 12, 8);
            if (data_[at] == 0x10 && depth < 3 && place < size_ && length > 8 && is(place, "OCHK")) {
                mend_messages(place + 4, place + length - 4, depth + 1);
                seal(place, length - 4);
            }
            at += 4 + bytes;
        }
    }
    void mend_object(std::uint64_t at) {
        const std::uint64_t flags = number(at + 5, 1);
        const int wide = 1 << (flags & 3);
        const std::uint64_t size_at = at + 6 + ((flags & 0x20) != 0 ? 16 : 0) + ((flags & 0x10) != 0 ? 4 : 0);
        const std::uint64_t first = size_at + static_cast<std::uint64_t>(wide), bytes = number(size_at, wide);
        if (!within(first, bytes)) return;
        mend_messages(first, first + bytes, 0);
        seal(at, first + bytes - at);
    }
    void mend_tree(std::uint64_t at) {
        const std::uint64_t leaf = number(at + 16, 8), count = number(at + 24, 2), record_bytes = number(at + 10, 2);
        if (leaf < size_) seal(leaf, 6 + count * record_bytes);
        seal(at, 34);
    }
    void mend_block(std::uint64_t at, std::uint64_t bytes, std::uint64_t offset_bytes) {
        if (at >= size_ || !within(at, bytes) || !is(at, "FHDB") || bytes < 32) return;
        put(at + 13 + offset_bytes, 0);
        put(at + 13 + offset_bytes, sum(at, bytes));
    }
    void mend_heap(std::uint64_t at) {
        const std::uint64_t width = number(at + 110, 2), first = number(at + 112, 8), root = number(at + 132, 8);
        const std::uint64_t offset_bytes = (number(at + 128, 2) + 7) / 8, rows = number(at + 140, 2);
        seal(at, 142);
        if (root >= size_ || offset_bytes > 8 || rows > 8 || width > 16) return;
        if (rows == 0) return mend_block(root, first, offset_bytes);
        for (std::uint64_t i = 0; i < rows * width; ++i) {
            const std::uint64_t row = i / width;
            mend_block(number(root + 13 + offset_bytes + 8 * i, 8), first << (row < 2 ? 0 : row - 1), offset_bytes);
        }
        seal(root, 13 + offset_bytes + rows * width * 8);
    }

    std::uint8_t* data_;
    std::size_t size_;
};

// A damaged element is refused by itself.
void read_all(const PackedDataset& data) {
    constexpr std::int64_t most = 64;
    for (const SplitTables& split : data.splits()) {
        for (std::int64_t row = 0; row < std::min(split.caption_count(), most); ++row)
            fuzz::read_or_refuse([&] { data.verify_caption(split, row); });
        for (std::int64_t row = 0; row < std::min(split.image_count(), most); ++row)
            fuzz::read_or_refuse([&] {
                const Image image = data.read_image(split, row);
                fuzz::require(image.pixels_HWC.size() ==
                              static_cast<std::size_t>(image.height) * static_cast<std::size_t>(image.width) * 3);
            });
    }
}

}    // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
    size = LLVMFuzzerMutate(data, size, max_size);
    if (seed % 16 != 0 && size > 48) Mender(data, size).mend();
    return size;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static fuzz::InputFile file;
    const std::string& path = file.holding(data, size);
    fuzz::read_or_refuse([&] { read_all(PackedDataset::open_for_check(path)); });
    return 0;
}
