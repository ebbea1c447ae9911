// The pictures that the benchmarks work on: COCO files where they are (BLIP_COCO_DIR), else drawn ones of COCO's usual
// 640 x 480.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "blip/base/durable_file.h"
#include "blip/image/jpeg.h"
#include "tests/unit/image/pictures.h"

namespace blip::test {

inline constexpr std::size_t most_files = 40;

// Benchmarks link no test framework, so the folders of tests/support/paths.h are found here again.
inline std::filesystem::path folder_from(const char* variable, const std::filesystem::path& otherwise) {
    const char* value = std::getenv(variable);
    return value != nullptr && *value != '\0' ? std::filesystem::path(value) : otherwise;
}
inline std::filesystem::path root() { return folder_from("BLIP_ROOT", std::filesystem::current_path()); }

struct Pictures {
    std::vector<std::vector<std::uint8_t>> files;
    std::vector<Image> images;
};

inline const Pictures& pictures() {
    static const Pictures loaded = [] {
        Pictures result;
        const auto folder = folder_from("BLIP_COCO_DIR", root().parent_path() / "shared/data/coco2014-mini");
        if (std::filesystem::is_directory(folder)) {
            for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
                if (entry.path().extension() != ".jpg" || result.files.size() >= most_files) continue;
                const std::string bytes = read_file(entry.path());
                result.files.emplace_back(bytes.begin(), bytes.end());
            }
        }
        if (result.files.empty()) result.files.push_back(encode_jpeg(picture(480, 640), 92));
        for (const auto& file : result.files) result.images.push_back(decode_jpeg(file, "benchmark"));
        return result;
    }();
    return loaded;
}

}    // namespace blip::test
