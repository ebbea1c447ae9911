// Damages packed files and asks what is said of them; for the tests of this folder.
#pragma once

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <fstream>
#include <string>

#include "blip/base/error.h"
#include "blip/data/packed/check.h"
#include "blip/data/packed/dataset.h"
#include "tests/support/paths.h"
#include "tests/support/said.h"

namespace blip::test {

// Changes one byte of a file.
inline void flip_byte(const Path& path, std::uint64_t place, unsigned char bit = 1) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(place));
    const char value = static_cast<char>(file.get() ^ bit);
    file.seekp(static_cast<std::streamoff>(place));
    file.put(value);
    BOOST_REQUIRE(file.good());
}

// What opening and then reading everything says; "" if nothing is wrong.
inline std::string first_damage(const Path& path) {
    try {
        const PackedDataset data = PackedDataset::open(path);
        for (const auto& split : data.splits()) {
            for (std::int64_t row = 0; row < split.caption_count(); ++row) data.verify_caption(split, row);
            for (std::int64_t row = 0; row < split.image_count(); ++row) (void)data.read_image(split, row);
        }
    } catch (const Error& error) {
        BOOST_TEST((error.code() == ExitCode::bad_data));
        return error.what();
    }
    return "";
}

// What --check says, all messages in one.
inline std::string check_says(const Path& path) {
    std::string all;
    try {
        const PackedCheck check = check_packed_file(path, 2, {});
        BOOST_TEST((check.damaged == 0) == check.messages.empty());
        for (const auto& message : check.messages) all += message + "\n";
    } catch (const Error& error) {
        BOOST_TEST((error.code() == ExitCode::bad_data));
        all = error.what();
    }
    return all;
}

}    // namespace blip::test
