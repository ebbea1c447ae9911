// WeightFile::open: from a path to the form that its content has.
#include <fmt/format.h>

#include <fstream>
#include <system_error>

#include "blip/base/error.h"
#include "blip/weights/pth_file.h"
#include "blip/weights/weight_file.h"
#include "src/weights/file_form.h"
#include "src/weights/file_forms.h"

namespace blip {
namespace {

namespace fs = std::filesystem;

fs::path find_in_folder(const fs::path& folder) {
    std::error_code ignored;
    for (const char* name : kWeightNames)
        if (fs::exists(folder / name, ignored)) return folder / name;
    throw Error(
        ExitCode::missing_input,
        fmt::format("the folder {} holds no weights: none of {}; give the file itself if it is called otherwise",
                    folder.string(), fmt::join(kWeightNames, ", ")));
}

std::string first_bytes(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::string begin(1024, '\0');
    file.read(begin.data(), static_cast<std::streamsize>(begin.size()));
    if (!file.is_open() || file.bad()) throw Error(ExitCode::io, fmt::format("cannot read {}", path.string()));
    begin.resize(static_cast<std::size_t>(file.gcount()));
    return begin;
}

FileForm form_of(const fs::path& path) {
    std::error_code error;
    if (!fs::is_regular_file(path, error)) {
        throw Error(ExitCode::bad_data, fmt::format("{} is not a regular file", path.string()));
    }
    const std::uint64_t size = fs::file_size(path, error);
    if (error) throw Error(ExitCode::io, fmt::format("cannot read {}: {}", path.string(), error.message()));
    return tell_form(first_bytes(path), size, path);
}

}    // namespace

std::unique_ptr<WeightFile> open_single(const fs::path& path) {
    const FileForm form = form_of(path);
    if (form == FileForm::json) {
        throw Error(ExitCode::bad_data, fmt::format("{} is JSON where weights are needed", path.string()));
    }
    return form == FileForm::pytorch_zip ? open_pth(path) : open_safetensors(path);
}

std::unique_ptr<WeightFile> WeightFile::open(const fs::path& given) {
    std::error_code ignored;
    const fs::file_status status = fs::status(given, ignored);
    if (!fs::exists(status)) throw Error(ExitCode::missing_input, fmt::format("{} does not exist", given.string()));
    const fs::path path = fs::is_directory(status) ? find_in_folder(given) : given;
    return without_prefix(form_of(path) == FileForm::json ? open_index(path) : open_single(path));
}

}    // namespace blip
