// See the header.
#include "data_prep/coco_pack/problems.h"

#include <fmt/format.h>

#include <algorithm>

#include "blip/base/printable.h"

namespace blip {

namespace {

constexpr std::size_t most_listed = 20;

// The message of an error about one file, without its name and the remedy.
std::string reason_of(std::string text, const std::string& path) {
    if (text.starts_with(path + ": ")) text.erase(0, path.size() + 2);
    for (const std::string& part : {": " + path, " " + path, std::string("; fetch the file again")})
        if (const auto at = text.find(part); at != std::string::npos) text.erase(at, part.size());
    return text;
}

}    // namespace

void PictureProblems::add(std::size_t number, const Error& error, const std::filesystem::path& path,
                          const std::string& where) {
    const std::lock_guard lock(mutex_);
    const std::string named = where.empty() ? "" : fmt::format(" (named in {})", printable_line(where));
    problems_[number] = {error.what() + named, reason_of(error.what(), printable_message(path.string())),
                         error.code() == ExitCode::bad_data};
    found_ = true;
}

void PictureProblems::list_kind(bool damaged, const char* kind, std::string& text) const {
    std::size_t count = 0;
    std::string lines;
    for (const auto& [number, problem] : problems_)
        if (problem.damaged == damaged && ++count <= most_listed) lines += "  " + problem.message + "\n";
    if (count == 0) return;
    text += fmt::format("{} image{} {} {}:\n{}", count, count == 1 ? "" : "s", count == 1 ? "is" : "are", kind, lines);
    if (count > most_listed) text += fmt::format("  and {} more\n", count - most_listed);
}

std::string PictureProblems::list() const {
    std::string text;
    list_kind(false, "missing or cannot be read", text);
    list_kind(true, "damaged", text);
    return text;
}

void PictureProblems::throw_if_any(const std::string& remedy) const {
    if (!found_) return;
    const bool missing =
        std::any_of(problems_.begin(), problems_.end(), [](const auto& problem) { return !problem.second.damaged; });
    throw Error(missing ? ExitCode::missing_input : ExitCode::bad_data, list() + "  " + remedy);
}

}    // namespace blip
