// Pictures of the caption verb, read, decoded and squashed ahead of the computation. Legend: S image size.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "blip/base/error.h"
#include "blip/data/prefetcher.h"
#include "blip/image/picture.h"

namespace blip {

struct LoadedPicture {
    std::filesystem::path file;
    std::vector<std::uint8_t> pixels_3SS;    // evaluation transform; empty if the picture could not be read
    std::string problem;                     // why, naming the file
    ExitCode code = ExitCode::ok;

    bool readable() const { return problem.empty(); }
};

// A part is a picture; one that cannot be read is no failure.
struct PictureBatch : Prefetcher::Job {
    std::vector<LoadedPicture> pictures;
    ExifOrientation orientation;
    int image_size;

    PictureBatch(ExifOrientation turned, int side) : orientation(turned), image_size(side) {}
    std::size_t parts() const override { return pictures.size(); }
    void load(std::size_t part) override;
};

}    // namespace blip
