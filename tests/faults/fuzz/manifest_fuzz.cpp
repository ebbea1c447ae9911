// libFuzzer target: a checkpoint's manifest on arbitrary bytes. Behind an odd first byte its digest is made to fit, so
// that changes get past it. What is accepted is written and read again. Run by tests/faults/fuzz_readers.sh.
#include "blip/base/digest.h"
#include "blip/checkpoint/manifest.h"
#include "tests/faults/fuzz/fuzz_support.h"

namespace {

std::string with_fitting_digest(std::string text) {
    const std::string start = "\n  \"digest\": \"";
    const std::size_t at = text.find(start);
    if (at == std::string::npos || at + start.size() + 16 > text.size()) return text;
    text.replace(at + start.size(), 16, 16, '0');
    return text.replace(at + start.size(), 16, blip::digest_of(text));
}

}    // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace blip;
    if (size == 0) return 0;
    std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
    if (data[0] % 2 == 1) text = with_fitting_digest(text);
    fuzz::read_or_refuse([&] {
        const Manifest manifest = Manifest::from_json(text, "manifest.json");
        fuzz::require(manifest.shards.size() == static_cast<std::size_t>(manifest.world_size));
        for (const ShardFile& shard : manifest.shards) fuzz::require(shard.name.find('/') == std::string::npos);
        const std::string written = manifest.to_json();
        fuzz::require(Manifest::from_json(written, "written").to_json() == written);
    });
    return 0;
}
