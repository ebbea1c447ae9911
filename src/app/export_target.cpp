// See export_target.h.
#include "src/app/export_target.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "blip/base/durable_file.h"
#include "blip/base/durable_folder.h"
#include "blip/base/error.h"
#include "blip/report/progress.h"
#include "blip/text/caption_rows.h"

namespace blip {
namespace {

namespace fs = std::filesystem;

// All that any form of export puts into a folder.
const std::set<std::string> exported_names = {"model.safetensors",
                                              "config.json",
                                              "vocab.txt",
                                              "tokenizer_config.json",
                                              "special_tokens_map.json",
                                              "generation_config.json",
                                              "preprocessor_config.json"};

[[noreturn]] void refuse(const std::string& message) { throw Error(ExitCode::usage, "--to " + message); }

ExportForm form_of(const ExportOptions& options, const fs::path& path) {
    const std::string extension = lower_ending(path);
    const bool reference = options.names == "reference";
    const bool pth = extension == ".pth", safetensors = extension == ".safetensors";
    for (const char* other : {".pt", ".bin", ".ckpt", ".pkl", ".onnx", ".h5"})
        if (extension == other)
            refuse(fmt::format("{}: {} files are not written; name a folder{}", path.string(), extension,
                               reference ? ", NAME.safetensors or NAME.pth (PyTorch's form)" : ""));
    if (!reference && (pth || safetensors))
        refuse(
            fmt::format("{}: --names huggingface makes a folder; name one, or give --names reference", path.string()));
    if (!reference) return ExportForm::huggingface_folder;
    return pth           ? ExportForm::reference_pth
           : safetensors ? ExportForm::reference_safetensors
                         : ExportForm::reference_folder;
}

// inner is outer or lies in it; both canonical
bool lies_in(const fs::path& inner, const fs::path& outer) {
    return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

void check_apart(const fs::path& from, const fs::path& to) {
    std::error_code ignored;
    if (!fs::exists(from, ignored))
        throw Error(ExitCode::missing_input, "--from {}: no such file or folder", from.string());
    const fs::path source = fs::weakly_canonical(from, ignored);
    if (lies_in(to, source) || fs::equivalent(source, to, ignored))
        refuse(fmt::format("{} is or lies in --from {}; choose a place outside", to.string(), from.string()));
    if (lies_in(source, to))
        refuse(fmt::format("{} holds --from {}; choose another place", to.string(), from.string()));
}

void check_replaceable(const ExportTarget& target, bool overwrite) {
    std::error_code ignored;
    const std::string name = target.path.string();
    const fs::file_status status = fs::symlink_status(target.path, ignored);
    if (!fs::exists(status)) return;
    if (fs::is_directory(status) != target.is_folder())
        refuse(fmt::format("{} is {} already, and a {} would be written; choose another name", name,
                           fs::is_directory(status) ? "a folder" : "a file", target.is_folder() ? "folder" : "file"));
    if (target.is_folder() && fs::is_empty(target.path, ignored)) return;
    if (!overwrite) refuse(fmt::format("{} is there already; --overwrite replaces it", name));
    if (!target.is_folder() && !fs::is_regular_file(status))
        refuse(fmt::format("{} is no regular file and is not replaced; choose another name", name));
    if (!target.is_folder()) return;
    const std::string foreign = first_foreign_entry(target.path, exported_names);
    if (!foreign.empty())
        refuse(
            fmt::format("{} holds {}, which no export wrote: --overwrite replaces only earlier exports; choose "
                        "another folder, or remove this one yourself",
                        name, foreign));
}

}    // namespace

ExportTarget choose_export_target(const ExportOptions& options) {
    std::error_code ignored;
    fs::path named = options.to;
    if (!named.has_filename()) named = named.parent_path();    // "folder/"
    const fs::path path = fs::weakly_canonical(fs::absolute(named), ignored);
    const ExportTarget target{path, form_of(options, path)};
    if (options.from != "random") check_apart(options.from, path);
    check_replaceable(target, options.overwrite);
    const fs::path parent = path.parent_path();
    if (!fs::is_directory(parent, ignored))
        throw Error(ExitCode::missing_input, "--to {}: there is no folder {}; create it first", options.to.string(),
                    parent.string());
    return target;
}

void check_space_for(const ExportTarget& target, std::uint64_t bytes) {
    const fs::path folder = target.path.parent_path();
    const std::uint64_t free = free_bytes(folder);
    if (free < bytes)
        throw Error(ExitCode::io, "{} has {} free and {} takes {}; free some space or choose another place",
                    folder.string(), format_bytes(static_cast<double>(free)), target.path.filename().string(),
                    format_bytes(static_cast<double>(bytes)));
}

}    // namespace blip
