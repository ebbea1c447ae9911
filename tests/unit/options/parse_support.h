// Shared by the tests of the options layer: parse words, check refusals, write a config file.
#pragma once

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "blip/base/error.h"
#include "blip/options/parse.h"
#include "tests/support/paths.h"

namespace blip::test {

using Words = std::vector<std::string>;

inline Options parse(const Words& words) { return parse_command_line(words).options; }

// Exit code 64 and every given word in the message.
inline void check_refused(const Words& words, const Words& named) {
    try {
        parse_command_line(words);
        BOOST_ERROR("accepted: " << named.front());
    } catch (const Error& error) {
        BOOST_TEST(static_cast<int>(error.code()) == 64);
        const std::string message = error.what();
        for (const auto& word : named)
            BOOST_TEST(message.find(word) != std::string::npos, "'" << word << "' is not named in: " << message);
    }
}

// train with its required option and others
inline Words train(Words more) {
    more.insert(more.begin(), {"train", "--data", "coco.h5"});
    return more;
}

struct ConfigFile {
    explicit ConfigFile(const std::string& text) { write_bytes(directory / "run.cfg", text); }
    std::string path() const { return (directory / "run.cfg").string(); }
    TempDir directory;
};

}    // namespace blip::test
