// Pictures by formula, the same as tests/reference/make_pillow_data.py draws; and what is said of damaged ones.
#pragma once

#include <boost/test/unit_test.hpp>

#include "blip/base/error.h"
#include "blip/image/image.h"

namespace blip::test {

inline Image picture(int height, int width) {
    Image image{height, width, std::vector<std::uint8_t>(static_cast<std::size_t>(height) * width * 3)};
    std::uint8_t* pixel = image.pixels_HWC.data();
    for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
            for (int c = 0; c < 3; ++c) {
                const int noise = ((y * 73 + x * 151 + c * 199) ^ (x * y * 7 + 13 * c)) & 63;
                int wave = (x * (3 + c) + y * (5 - c)) % 384;
                if (wave > 191) wave = 383 - wave;
                *pixel++ = static_cast<std::uint8_t>((x + 2 * y) % 97 < 11 ? 255 : wave + noise);
            }
        }
    }
    return image;
}

// `decode` refuses damaged bytes (bad_data), by the picture's name.
inline void expect_damaged(const auto& decode, const std::vector<std::uint8_t>& bytes) {
    BOOST_CHECK_EXCEPTION(decode(bytes, "a picture"), Error, [](const Error& error) {
        return error.code() == ExitCode::bad_data && std::string(error.what()).starts_with("a picture: ");
    });
}

}    // namespace blip::test
