// The reference's configuration file (caption_coco.yaml): its keys as options of ours. Used by parse.cpp; the only user
// of yaml-cpp.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace blip {

// One of our options, as a line of the file says it.
struct YamlSetting {
    int line = 0;          // from 1
    std::string key;       // the file's
    std::string option;    // of the table of options
    std::string value;     // as a config file of ours would have it
};

struct YamlConfig {
    std::vector<YamlSetting> settings;
    std::vector<std::string> notes;    // what of the file has no effect, or another one than it seems; one line each
    // `pretrained` is a URL: where it is to be found, and that it must be downloaded; else empty
    std::string download;
};

// Throws usage naming file and line: syntax, a key twice, a key that is not known (with the one that was probably
// meant), a list or map where one value is expected; missing_input without a file. What the options accept is checked
// by them.
YamlConfig read_yaml_config(const std::filesystem::path& path);
// By the file's ending: .yaml or .yml.
bool is_yaml(const std::filesystem::path& path);

}    // namespace blip
