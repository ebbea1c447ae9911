// See the header.
#include "data_prep/coco_pack/problems.h"

#include <fmt/format.h>

#include <algorithm>

#include "blip/base/printable.h"
#include "blip/image/picture.h"
#include "blip/text/unicode.h"

namespace blip {

namespace {

constexpr std::size_t most_listed = 20;
constexpr std::size_t most_looked_for = 5;    // a folder may be large

// Lower case, accents composed: what people take for the same name; "" for what is no UTF-8.
std::string folded(const std::string& name) {
    try {
        require_utf8(name);
        return lower_case(canonical(name, /*composed=*/true));
    } catch (const Error&) {
        return "";
    }
}

// Of a picture that is not there one in its folder that has its name but for case, accents' form or ending; else "".
std::filesystem::path spelled_otherwise(const std::filesystem::path& missing) {
    const std::string wanted = folded(missing.stem().string());
    if (wanted.empty()) return {};
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(missing.parent_path(), none)) {
        const std::filesystem::path& file = entry.path();
        if (has_picture_name(file) && folded(file.stem().string()) == wanted) return file.filename();
    }
    return {};
}

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
    std::string named = where.empty() ? "" : fmt::format(" (named in {})", printable_line(where));
    if (error.code() == ExitCode::missing_input && problems_.size() < most_looked_for)
        if (const auto other = spelled_otherwise(path); !other.empty())
            named += fmt::format("; there is {}, whose case, accents or ending differ", printable_line(other.string()));
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
