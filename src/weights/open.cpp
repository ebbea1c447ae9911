// WeightFile::open: from a path to the form that its content has.
#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <system_error>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/text/caption_rows.h"
#include "blip/text/text_file.h"
#include "blip/weights/pth_file.h"
#include "blip/weights/weight_file.h"
#include "src/weights/file_forms.h"

namespace blip {
namespace {

namespace fs = std::filesystem;

enum class FileForm { safetensors, pytorch_zip, json };

using namespace std::string_view_literals;

struct Foreign {
    std::string_view begin;
    const char* what;
};
// What files that are no weights begin with.
constexpr Foreign foreign[] = {
    {"\x89HDF\r\n\x1a\n"sv, "an HDF5 file, as packed data sets are: give those to --data"},
    {"version https://git-lfs"sv,
     "a Git LFS pointer, not the file itself: run 'git lfs pull' in its folder, or download the file"},
    {"\x1f\x8b"sv, "a gzip file: unpack it first"},
    {"PK\x05\x06"sv, "an empty zip file: the download or the copy failed"},
    {"\x93NUMPY"sv, "a NumPy array, not a checkpoint"},
    {"\x7f"
     "ELF"sv,
     "a program, not a checkpoint"},
    {"\xff\xd8\xff"sv, "a JPEG picture, not a checkpoint"},
    {"\x89PNG"sv, "a PNG picture, not a checkpoint"},
};

bool is_web_page(std::string_view text) {
    const std::string lower = lower_ascii(std::string(text.substr(0, 64)));
    return lower.starts_with("<!doctype") || lower.starts_with("<html") || lower.starts_with("<?xml");
}

// Of what a file begins with (1 KiB suffices). Throws bad_data for whatever is no weight file, naming the file, saying
// what it is and what to do.
FileForm tell_form(std::string_view begin, const std::filesystem::path& path) {
    const auto fails = [&](std::string_view what) {
        throw Error(ExitCode::bad_data, "{} holds no weights: it is {}", path.string(), what);
    };
    if (begin.empty()) fails("empty: the download or the copy failed");
    if (begin.starts_with("PK\x03\x04")) return FileForm::pytorch_zip;
    for (const Foreign& form : foreign)
        if (begin.starts_with(form.begin)) fails(form.what);
    const std::string_view text = begin.substr(std::min(first_sign(begin), begin.size()));
    if (is_web_page(text)) {
        fails("a web page, not the file that it offers: use the link that downloads the file itself");
    }
    // safetensors: the header's length, then the header, which begins with a brace. The length of a real one leaves
    // zeros that no JSON has.
    const bool header = begin.size() > 8 && begin[8] == '{';
    if (header && begin.find('\0') < 8) return FileForm::safetensors;
    if (text.starts_with('{') || text.starts_with('[')) return FileForm::json;
    if (header) return FileForm::safetensors;    // whose length is damaged
    if (begin.size() > 257 && begin.substr(257, 5) == "ustar") fails("a tar archive: unpack it first");
    if (begin.size() > 1 && begin[0] == '\x80' && begin[1] >= 0 && begin[1] <= 5) {
        // PyTorch's magic number, pickled with any protocol: from 4 on a frame's length stands before it
        if (begin.find("\x8a\x0al\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e"sv) <= 11)
            fails(
                "in PyTorch's old form (before 1.6): load it in Python and save it again: torch.save(torch.load(OLD, "
                "weights_only=True), NEW)");
        fails("a bare pickle, which torch.save did not write: save it in Python with torch.save");
    }
    const bool zeros = std::all_of(begin.begin(), begin.end(), [](char c) { return c == '\0'; });
    if (zeros) fails("all zeros at its beginning: the download or the copy failed");
    fails("neither safetensors nor a PyTorch zip file nor an index over several (damaged?)");
    return FileForm::json;    // never reached
}

fs::path find_in_folder(const fs::path& folder) {
    std::error_code ignored;
    for (const char* name : kWeightNames)
        if (fs::exists(folder / name, ignored)) return folder / name;
    throw Error(ExitCode::missing_input,
                "the folder {} holds no weights: none of {}; give the file itself if it is called otherwise",
                folder.string(), fmt::join(kWeightNames, ", "));
}

FileForm form_of(const fs::path& path) { return tell_form(first_bytes(path, 1024), path); }

}    // namespace

std::unique_ptr<WeightFile> open_single(const fs::path& path) {
    const FileForm form = form_of(path);
    if (form == FileForm::json) {
        throw Error(ExitCode::bad_data, "{} is JSON where weights are needed", path.string());
    }
    return form == FileForm::pytorch_zip ? open_pth(path) : open_safetensors(path);
}

std::unique_ptr<WeightFile> WeightFile::open(const fs::path& given) {
    std::error_code ignored;
    const fs::file_status status = fs::status(given, ignored);
    if (!fs::exists(status)) throw Error(ExitCode::missing_input, "{} does not exist", given.string());
    const fs::path path = fs::is_directory(status) ? find_in_folder(given) : given;
    return without_prefix(form_of(path) == FileForm::json ? open_index(path) : open_single(path));
}

}    // namespace blip
