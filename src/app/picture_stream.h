// Reads, decodes and squashes pictures ahead of the computation, on several threads, in the order of a list. Used by
// the caption verb. Legend: S image size.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "blip/base/error.h"
#include "blip/image/picture.h"

namespace blip {

struct StreamedPicture {
    std::filesystem::path file;
    std::vector<std::uint8_t> pixels_3SS;    // evaluation transform; empty if the picture could not be read
    std::string problem;                     // why, naming the file
    ExitCode code = ExitCode::ok;
};

class PictureStream {
  public:
    // At most `ahead` pictures are kept; threads and ahead >= 1.
    PictureStream(std::vector<std::filesystem::path> files, ExifOrientation orientation, int image_size, int threads,
                  std::size_t ahead);
    ~PictureStream();    // stops the threads, whatever is left

    // The next picture in order, nullopt after the last. Rethrows what is no fault of a picture (out of memory).
    std::optional<StreamedPicture> next();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}    // namespace blip
