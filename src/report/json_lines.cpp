// See json_lines.h.
#include "src/report/json_lines.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "blip/base/error.h"
#include "blip/base/log.h"

namespace blip {
namespace {

void end_last_line(const std::filesystem::path& file) {
    constexpr std::streamoff longest_record = 1 << 20;
    std::ifstream stream(file, std::ios::binary | std::ios::ate);
    if (!stream) return;    // a new one
    const std::streamoff size = stream.tellg();
    std::string tail(static_cast<std::size_t>(std::min(size, longest_record)), '\0');
    stream.seekg(size - static_cast<std::streamoff>(tail.size()));
    if (!stream.read(tail.data(), static_cast<std::streamsize>(tail.size())) || tail.empty() || tail.back() == '\n')
        return;
    stream.close();
    const std::size_t line = tail.rfind('\n') + 1;    // npos + 1 = 0
    const std::string last = tail.substr(line);
    if (last.starts_with("{\"kind\":") && !nlohmann::json::accept(last)) {
        std::filesystem::resize_file(file, static_cast<std::uintmax_t>(size) - last.size());
        log_info("{} ended within a record, as a killed run leaves it: the {} bytes were dropped", file.string(),
                 last.size());
    } else {
        std::ofstream(file, std::ios::binary | std::ios::app) << '\n';
        log_info("{} did not end with a whole line: what follows begins a new one", file.string());
    }
}

}    // namespace

FileDescriptor append_to_lines(const std::filesystem::path& file, const char* what) {
    try {
        if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path());
        end_last_line(file);
    } catch (const std::filesystem::filesystem_error& problem) {
        throw Error(ExitCode::io, "cannot write {} {}: {}", what, file.string(), problem.code().message());
    }
    FileDescriptor fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
    if (!fd) throw Error(ExitCode::io, "cannot write {} {}: {}", what, file.string(), std::strerror(errno));
    return fd;
}

void read_lines(const std::filesystem::path& file, const std::function<void(nlohmann::json)>& take) {
    std::ifstream lines(file);
    for (std::string line; std::getline(lines, line) && !lines.eof();)
        take(nlohmann::json::parse(line, nullptr, false));
    if (!lines.eof()) throw Error(ExitCode::io, "{}: cannot be read: {}", file.string(), std::strerror(errno));
}

}    // namespace blip
