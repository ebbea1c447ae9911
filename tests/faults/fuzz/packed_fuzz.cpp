// libFuzzer target: the packed file on arbitrary bytes: opened, and all of it read. Checksums of HDF5's structures are
// left as they come: the library, which is not compiled with checks, may trust what passes them (tests/README.md,
// Security). Changes of tables and pictures get past them. Run by tests/faults/fuzz_readers.sh.
#include "blip/data/packed/dataset.h"
#include "tests/faults/fuzz/input_file.h"

namespace {

using namespace blip;

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

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static fuzz::InputFile file;
    const std::string& path = file.holding(data, size);
    fuzz::read_or_refuse([&] { read_all(PackedDataset::open_for_check(path)); });
    return 0;
}
