// libFuzzer target: the safetensors header parser on arbitrary bytes. Run by tests/faults/fuzz_readers.sh.
#include "blip/weights/safetensors_header.h"
#include "tests/faults/fuzz/fuzz_support.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace blip;
    const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
    fuzz::read_or_refuse([&] {
        const SafetensorsHeader header = parse_safetensors_header(bytes, "input");
        fuzz::require(header.data_begin <= size);
        const std::span<const std::byte> values = bytes.subspan(header.data_begin);
        std::uint64_t covered = 0;
        for (const auto& [name, entry] : header.entries) {
            fuzz::require(entry.begin <= entry.end && entry.end <= values.size());
            const std::span<const std::byte> part = values.subspan(entry.begin, entry.end - entry.begin);
            covered += part.size();
            std::uint64_t expected = 0;
            fuzz::require(size_of_shape(entry.shape, element_bytes(entry.dtype), expected) && expected == part.size());
            std::vector<float> floats(part.size() / element_bytes(entry.dtype));
            if (is_floating(entry.dtype)) to_floats(entry.dtype, part, floats);
        }
        fuzz::require(covered == values.size());
    });
    return 0;
}
