// See libtorch.h.
#include "src/app/libtorch.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include "blip/base/error.h"
#include "blip/base/version.h"
#include "src/app/standalone.h"

namespace blip {
namespace {

namespace fs = std::filesystem;

constexpr const char* remedy =
    "set LIBTORCH to the directory that a torch {} wheel is in (site-packages), or to an unpacked libtorch zip";

// "2.11", of what the programs were built with; empty where that is not known.
std::string wanted_version() {
    std::istringstream facts(build_facts);
    for (std::string name, value; facts >> name && std::getline(facts >> std::ws, value);)
        if (name == "LibTorch") return value.substr(0, value.find('.', value.find('.') + 1));
    return "";
}

// Of the folder that holds lib/; "unknown" where neither form of LibTorch tells.
std::string version_of(const fs::path& torch) {
    constexpr std::string_view begin = "__version__ = '";
    std::ifstream python(torch / "version.py"), plain(torch / "build-version");
    for (std::string line; std::getline(python, line);)
        if (line.starts_with(begin)) return line.substr(begin.size(), line.find('\'', begin.size()) - begin.size());
    std::string word;
    return plain >> word ? word : "unknown";
}

[[noreturn]] void refuse(const std::string& why) {
    throw Error(ExitCode::missing_input, "{}: {}", why, fmt::format(remedy, wanted_version()));
}

std::string libraries_of(const fs::path& torch, bool with_cuda) {
    std::vector<fs::path> libraries = {torch / "lib/libtorch_cpu.so", torch / "lib/libc10.so"};
    if (with_cuda) {
        for (const char* name : {"libtorch_cuda.so", "libtorch.so", "libc10_cuda.so"})
            libraries.push_back(torch / "lib" / name);
        // where a wheel has them; those of a zip lie in lib/ and are found from there
        for (const char* name : {"nccl/lib/libnccl.so.2", "cu13/lib/libcudart.so.13"})
            if (const fs::path one = torch.parent_path() / "nvidia" / name; fs::exists(one)) libraries.push_back(one);
    }
    std::string text;
    for (const fs::path& library : libraries) text += library.string() + ":";
    return text;
}

}    // namespace

void choose_libtorch(bool with_cuda) {
    std::error_code absent;
    const fs::path link = program_beside("") / "../torch";
    if (!fs::exists(fs::symlink_status(link, absent))) return;
    const char* const given = std::getenv("LIBTORCH");
    if (given == nullptr || *given == '\0') {
        if (!fs::exists(link / "lib/libtorch_cpu.so", absent))
            refuse(fmt::format("there is no LibTorch in {}, where this program was installed to look for it",
                               fs::is_symlink(link) ? fs::read_symlink(link).string() : link.string()));
        return;
    }
    const fs::path place = given;
    fs::path torch;
    for (const fs::path& one : {place / "torch", place})
        if (torch.empty() && fs::exists(one / "lib/libtorch_cpu.so", absent)) torch = fs::canonical(one);
    if (torch.empty())
        refuse(fmt::format("LIBTORCH={} holds neither torch/lib/libtorch_cpu.so nor lib/libtorch_cpu.so", given));
    if (fs::equivalent(torch, link, absent)) return;
    const std::string found = version_of(torch), wanted = wanted_version();
    if (!wanted.empty() && !found.starts_with(wanted + "."))
        refuse(fmt::format("LIBTORCH={} is version {}, not {}", given, found, wanted));
    if (with_cuda && !fs::exists(torch / "lib/libtorch_cuda.so"))
        refuse(fmt::format("LIBTORCH={} ({}) has no CUDA; or compute with --device cpu", given, found));
    if (torch.string().find_first_of(" :") != std::string::npos)
        throw Error(ExitCode::missing_input,
                    "LIBTORCH={}: {} has a blank or a colon in its name, which the system's "
                    "loader takes for the end of it: give a link without",
                    given, torch.string());
    const char* const others = std::getenv("LD_PRELOAD");
    ::setenv("LD_PRELOAD", (libraries_of(torch, with_cuda) + (others == nullptr ? "" : others)).c_str(), 1);
}

}    // namespace blip
