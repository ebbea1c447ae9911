// libFuzzer target: coco_pack's reader of tars, on arbitrary bytes: samples, and the pictures as packing reads them.
// Run by tests/faults/fuzz_readers.sh.
#include "data_prep/coco_pack/readers/tables.h"
#include "data_prep/coco_pack/readers/tars.h"
#include "tests/faults/fuzz/input_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace blip;
    static fuzz::InputFile file;
    const std::vector<std::filesystem::path> tars = {file.holding(data, size)};
    fuzz::read_or_refuse([&] {
        std::vector<std::string> notes;
        const auto splits = read_tables({{tars[0], TableForm::tar, ""}}, "/pictures", SourceOptions{}, notes);
        for (const SourceSplit& split : splits) {
            std::vector<TarPictures::Place> places;
            for (const SourceImage& image : split.images) {
                fuzz::require(image.member >= 0 && image.file.is_relative() && !image.captions.empty());
                for (const auto& part : image.file) fuzz::require(part != "..");
                fuzz::require(places.empty() || places.back().second < image.member);
                places.emplace_back(image.tar, image.member);
            }
            TarPictures pictures(tars, places, {});
            // as threads may ask: the last first
            for (std::size_t n = places.size(); n > 0; --n) pictures.read(n - 1);
        }
    });
    return 0;
}
