// libFuzzer target: pictures of every form, recognised by their content. Run by tests/faults/fuzz_readers.sh.
#include "blip/image/picture.h"
#include "tests/faults/fuzz/fuzz_support.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace blip;
    const std::span bytes(data, size);
    fuzz::read_or_refuse([&] {
        const ImageSize stored = picture_size(bytes, "picture");
        if (static_cast<std::int64_t>(stored.height) * stored.width > 1'000'000) return;    // slow, not wrong
        const Image image = decode_picture(bytes, "picture");
        fuzz::require(image.height == stored.height && image.width == stored.width);
        fuzz::require(image.pixels_HWC.size() == static_cast<std::size_t>(image.height) * image.width * 3);
        const Image turned = decode_picture(bytes, "picture", ExifOrientation::applied);
        fuzz::require(turned.pixels_HWC.size() == image.pixels_HWC.size());
    });
    return 0;
}
