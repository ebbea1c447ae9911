// See picture_batch.h.
#include "src/app/picture_batch.h"

#include "blip/image/augment.h"
#include "src/app/caption_inputs.h"

namespace blip {

void PictureBatch::load(std::size_t part) {
    LoadedPicture& picture = pictures[part];
    try {
        if (is_missing(picture.file)) throw Error(ExitCode::missing_input, describe_missing(picture.file));
        const Image image = decode_picture_file(picture.file, orientation);
        const auto side = static_cast<std::size_t>(image_size);
        picture.pixels_3SS.resize(3 * side * side);
        apply_plan(image, evaluation_plan(image.height, image.width), image_size, picture.pixels_3SS.data());
    } catch (const Error& error) {
        picture.pixels_3SS.clear();
        picture.problem = error.what();
        picture.code = error.code();
    }
}

}    // namespace blip
