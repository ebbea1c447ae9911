// Writes a small packed file, from which the fuzzer of its reader starts: packed_seed raw|jpeg FILE
#include <cstdio>
#include <string>

#include "blip/base/error.h"
#include "blip/data/packed/writer.h"
#include "blip/image/jpeg.h"

namespace {

using namespace blip;

SplitTables make_split(const std::string& name, PackedEncoding encoding, std::size_t jpeg_bytes) {
    SplitTables split;
    split.name = name;
    for (const char* note : {"empty_captions", "images_without_captions", "skipped_images"})
        split.notes.emplace_back(note, 1);
    split.skipped = {{9, "val2014/a_9.jpg", "no such file"}};
    for (std::int64_t id = 1; id <= 2; ++id) {
        const std::int64_t row =
            encoding == PackedEncoding::jpeg ? add_jpeg(split, id, 8, 8, jpeg_bytes) : add_image(split, id, 8, 8);
        for (int k = 0; k < 2; ++k) add_caption(split, row, {30522, 1037, 3861, 1997, 1037, 4937, 102}, "A cat.");
    }
    return split;
}

void write(PackedEncoding encoding, const std::string& path) {
    Image image{8, 8, std::vector<std::uint8_t>(8 * 8 * 3, 77)};
    const std::vector<std::uint8_t> jpeg = encode_jpeg(image, 80);
    std::vector<SplitTables> splits = {make_split("train", encoding, jpeg.size()),
                                       make_split("val", encoding, jpeg.size())};
    PackedDescription description{"a picture of ", 4, "[PAD]\nword\n", "a seed"};
    description.encoding = encoding;
    PackedWriter writer(path, description, std::move(splits));
    for (std::size_t split = 0; split < 2; ++split)
        for (std::int64_t row = 0; row < 2; ++row)
            encoding == PackedEncoding::jpeg ? writer.write_jpeg(split, row, jpeg, "seed")
                                             : writer.write_image(split, row, image);
    writer.commit();
}

}    // namespace

int main(int argc, char** argv) {
    if (argc != 3) return 64;
    try {
        write(argv[1] == std::string("jpeg") ? blip::PackedEncoding::jpeg : blip::PackedEncoding::raw, argv[2]);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "packed_seed: %s\n", error.what());
        return 70;
    }
    return 0;
}
