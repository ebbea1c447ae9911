// Where an export goes, and whether it may. Used by verb_export.cpp.
#pragma once

#include <cstdint>
#include <filesystem>

#include "blip/options/options.h"

namespace blip {

enum class ExportForm { reference_folder, reference_safetensors, reference_pth, huggingface_folder };

struct ExportTarget {
    std::filesystem::path path;    // absolute, links resolved
    ExportForm form = ExportForm::reference_folder;

    bool is_folder() const { return form == ExportForm::reference_folder || form == ExportForm::huggingface_folder; }
};

// Refuses, before anything is read: a source that is not there, forms that do not exist, a target that is there without
// --overwrite or is no earlier export, one that is or holds or lies in what is read, a missing parent folder. Throws
// usage, missing_input.
ExportTarget choose_export_target(const ExportOptions& options);

// Throws io unless so many bytes fit beside what is there now.
void check_space_for(const ExportTarget& target, std::uint64_t bytes);

}    // namespace blip
