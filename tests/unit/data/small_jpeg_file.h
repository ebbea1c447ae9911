// A packed file of JPEGs, as their bytes or as their pixels; what packed_jpeg_test works on.
#pragma once

#include <string>
#include <vector>

#include "blip/image/jpeg.h"
#include "blip/image/picture.h"
#include "small_packed_file.h"
#include "tests/support/paths.h"

namespace blip::test {

using Bytes = std::vector<std::uint8_t>;

// Noise as colour JPEGs, and the kinds that become RGB on load: grey, CMYK, progressive, with restart markers.
inline const std::vector<Bytes>& jpegs() {
    static const std::vector<Bytes> all = [] {
        std::vector<Bytes> files;
        for (std::int64_t row = 0; row < 5; ++row) files.push_back(encode_jpeg(noise_image(7, row), 90));
        for (const char* name : {"grey", "cmyk", "progressive", "restarts", "stored_rgb", "colour_444"}) {
            const std::string content =
                read_bytes(repository_root() / "tests/golden/data/jpeg" / (std::string(name) + ".jpg"));
            files.emplace_back(content.begin(), content.end());
        }
        return files;
    }();
    return all;
}

inline SplitTables jpeg_split(const std::string& name, PackedEncoding encoding) {
    SplitTables tables;
    tables.name = name;
    std::int64_t id = 100;
    for (const auto& bytes : jpegs()) {
        const ImageSize size = picture_size(bytes, "test");
        const std::int64_t row = encoding == PackedEncoding::raw
                                     ? add_image(tables, id++, size.height, size.width)
                                     : add_jpeg(tables, id++, size.height, size.width, bytes.size());
        for (int k = 0; k < 5; ++k)
            add_caption(tables, row, {SpecialTokens::dec, static_cast<TokenId>(2000 + row * 5 + k), SpecialTokens::sep},
                        "caption " + std::to_string(row) + std::string(static_cast<std::size_t>(k), '!'));
    }
    return tables;
}

inline PackedDescription small_description_of(PackedEncoding encoding) {
    PackedDescription result = small_description;
    result.encoding = encoding;
    return result;
}

// The pictures above in splits train and val.
inline std::string write_jpeg_file(const Path& path, PackedEncoding encoding) {
    PackedWriter writer(path, small_description_of(encoding),
                        {jpeg_split("train", encoding), jpeg_split("val", encoding)});
    for (std::size_t s = 0; s < 2; ++s)
        for (std::size_t row = 0; row < jpegs().size(); ++row) {
            const auto image_row = static_cast<std::int64_t>(row);
            if (encoding == PackedEncoding::raw)
                writer.write_image(s, image_row, decode_jpeg(jpegs()[row], "test"));
            else
                writer.write_jpeg(s, image_row, jpegs()[row], "test");
        }
    return writer.commit();
}

}    // namespace blip::test
