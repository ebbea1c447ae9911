// libFuzzer target: config files on arbitrary bytes, through the whole parser; behind an odd first byte one of the
// reference job's (YAML). What is accepted can be printed as a config file. Run by tests/faults/fuzz_readers.sh.
#include <cstdlib>
#include <filesystem>

#include "blip/options/parse.h"
#include "tests/faults/fuzz/input_file.h"

namespace {

// A name that ends in .yaml and leads to the input.
std::string yaml_name(const std::string& path) {
    std::string folder = (std::filesystem::temp_directory_path() / "config_fuzz.XXXXXX").string();
    blip::fuzz::require(::mkdtemp(folder.data()) != nullptr);
    std::filesystem::create_symlink(path, folder + "/input.yaml");
    return folder + "/input.yaml";
}

}    // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace blip;
    static fuzz::InputFile file;
    static const std::string yaml = yaml_name(file.holding(data, size));
    if (size == 0) return 0;
    const std::string& plain = file.holding(data + 1, size - 1);
    fuzz::read_or_refuse(
        [&] {
            const ParsedCommandLine command =
                parse_command_line({"train", "--config", data[0] % 2 == 1 ? yaml : plain, "--data", "coco.h5", "--init",
                                    "x.pth", "--output", "out"});
            fuzz::require(!print_config(command.options).empty());
        },
        {ExitCode::usage});
    return 0;
}
