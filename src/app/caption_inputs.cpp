// See caption_inputs.h.
#include "src/app/caption_inputs.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>

#include "blip/base/error.h"
#include "blip/base/log.h"
#include "blip/base/printable.h"
#include "blip/image/picture.h"
#include "blip/text/text_file.h"

namespace blip {
namespace {

namespace fs = std::filesystem;

// All of standard input. It is asked now and then whether to stop, so that Ctrl-C ends the wait for a list.
std::string read_standard_input(const std::function<bool()>& stop_requested) {
    std::string text;
    std::array<char, 65536> part;
    while (!stop_requested()) {
        pollfd input{STDIN_FILENO, POLLIN, 0};
        constexpr int wait_ms = 200;
        const int ready = poll(&input, 1, wait_ms);
        if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
        if (ready < 0) throw Error(ExitCode::io, "cannot wait for standard input: {}", std::strerror(errno));
        const ssize_t count = ::read(STDIN_FILENO, part.data(), part.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0)
            throw Error(ExitCode::io, "cannot read the list of pictures on standard input: {}", std::strerror(errno));
        if (count == 0) return text;
        text.append(part.data(), static_cast<std::size_t>(count));
    }
    return {};
}

// Arguments, with those of standard input in the place of "-".
std::vector<fs::path> all_words(const std::vector<fs::path>& given, const std::function<bool()>& stop_requested) {
    std::vector<fs::path> words;
    if (std::count(given.begin(), given.end(), "-") > 1)
        throw Error(ExitCode::usage, "'-' is given twice; there is one standard input");
    for (const fs::path& word : given) {
        if (word != "-") {
            words.push_back(word);
            continue;
        }
        for_each_line(read_standard_input(stop_requested), [&](std::int64_t, std::string_view line) {
            if (!line.empty()) words.emplace_back(line);
        });
    }
    return words;
}

void refuse_if_none_exists(const std::vector<fs::path>& words) {
    if (words.empty() || !std::all_of(words.begin(), words.end(), is_missing)) return;
    std::vector<std::string> others;
    for (const fs::path& word : std::span(words).subspan(1)) others.push_back(word.string());
    throw Error(ExitCode::missing_input,
                describe_missing(words[0]) + (others.empty() ? "" : "\n  nor: " + some_of(others)));
}

// A file that cannot be looked at may be one: what is wrong with it is told when it is read.
bool may_be_picture(const fs::directory_entry& entry) {
    if (has_picture_name(entry.path())) return true;
    std::error_code problem;
    if (!entry.is_regular_file(problem))
        return static_cast<bool>(problem) && problem != std::errc::no_such_file_or_directory;
    try {
        return picture_kind_of_file(entry.path()) != PictureKind::none;
    } catch (const Error&) {
        return true;
    }
}

void add_folder(const fs::path& folder, std::vector<ListedPicture>& pictures) {
    std::vector<ListedPicture> found;
    std::vector<std::string> others;
    std::error_code unknown;    // where a link leads
    try {
        for (auto entry = fs::recursive_directory_iterator(folder); entry != fs::end(entry); ++entry) {
            const bool hidden = entry->path().filename().string().starts_with('.');
            if (hidden) entry.disable_recursion_pending();
            if (hidden || entry->is_directory(unknown)) continue;
            const fs::path name = entry->path().lexically_relative(folder);
            may_be_picture(*entry) ? found.push_back({entry->path(), name}) : others.push_back(name.string());
        }
    } catch (const fs::filesystem_error& problem) {
        throw Error(ExitCode::io, "cannot read the folder {}: {}", problem.path1().string(), problem.code().message());
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.file < b.file; });
    std::sort(others.begin(), others.end());
    log_info("{}: {}{}", folder.string(), counted(std::ssize(found), "picture"),
             others.empty() ? ""
                            : fmt::format("; {} other file{} left out: {}", others.size(),
                                          others.size() == 1 ? " is" : "s are", some_of(others)));
    pictures.insert(pictures.end(), found.begin(), found.end());
}

}    // namespace

bool is_missing(const fs::path& word) {
    std::error_code problem;
    return !fs::exists(word, problem) && !problem;
}

std::string describe_missing(const fs::path& word) {
    const std::string text = word.string();
    const char* hint = "";
    if (text.find("://") != std::string::npos)
        hint = "; an address is not opened: download the picture, and give the file";
    else if (text.find_first_of("*?") != std::string::npos)
        hint = "; the shell fills in names only where no quotes are, or give the folder";
    return fmt::format("no such picture: {}{}", text, hint);
}

std::vector<ListedPicture> list_pictures(const std::vector<fs::path>& given,
                                         const std::function<bool()>& stop_requested) {
    const std::vector<fs::path> words = all_words(given, stop_requested);
    if (stop_requested()) return {};
    refuse_if_none_exists(words);
    std::vector<ListedPicture> pictures;
    for (const fs::path& word : words) {
        std::error_code problem;
        if (fs::is_directory(word, problem))
            add_folder(word, pictures);
        else
            pictures.push_back({word, word.filename()});
    }
    if (pictures.empty())
        throw Error(ExitCode::missing_input,
                    words.empty() ? "standard input lists no pictures" : "there is no picture in what was given");
    return pictures;
}

}    // namespace blip
