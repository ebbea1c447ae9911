// Finds the terminal and draws the transient line; used by progress.cpp.
#include "src/report/terminal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>

#include "blip/base/durable_file.h"
#include "blip/base/handle.h"
#include "blip/base/log.h"
#include "blip/base/printable.h"

namespace blip {
namespace {

std::mutex drawing;
bool shown = false;

// Raw write: the line must not wait in a buffer, and a failing stderr is no reason to end a run.
void put(const std::string& text) {
    [[maybe_unused]] const auto ignored = ::write(STDERR_FILENO, text.data(), text.size());
}

// mpirun gives its ranks a pipe; its own stderr tells where the text ends up. Closed by the caller's handle.
FileDescriptor open_terminal() {
    if (isatty(STDERR_FILENO)) return FileDescriptor(dup(STDERR_FILENO));
    if (std::getenv("OMPI_COMM_WORLD_RANK") == nullptr) return {};
    const std::string launcher = fmt::format("/proc/{}/fd/2", getppid());
    FileDescriptor fd(::open(launcher.c_str(), O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    if (fd && !isatty(fd.get())) fd.reset();
    return fd;
}

// Columns; 80 if unknown.
std::size_t terminal_width() {
    const FileDescriptor fd = open_terminal();
    winsize size{};
    if (fd && ioctl(fd.get(), TIOCGWINSZ, &size) == 0 && size.ws_col > 1) return size.ws_col;
    return 80;
}

}    // namespace

bool on_terminal() {
    const char* kind = std::getenv("TERM");
    if (kind != nullptr && std::string(kind) == "dumb") return false;
    return static_cast<bool>(open_terminal());
}

std::string first_columns(const std::string& text, std::size_t columns) {
    std::size_t seen = 0;
    for (std::size_t i = 0; i < text.size(); ++i)
        if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80 && seen++ == columns) return text.substr(0, i);
    return text;
}

std::string fitting_fields(const std::vector<std::string>& fields, std::size_t columns) {
    std::string text = first_columns(fields.front(), columns);
    for (auto field = fields.begin() + 1; field != fields.end(); ++field) {
        const std::string longer = text + kBetweenFields + *field;
        if (first_columns(longer, columns) != longer) break;
        text = longer;
    }
    return text;
}

void draw_transient_line(const std::vector<std::string>& fields) {
    // one column stays free: a full line would wrap, and \r would then return to its second half
    const std::string fitting = printable_line(fitting_fields(fields, terminal_width() - 1));
    set_before_log_line(&clear_transient_line);
    const std::lock_guard lock(drawing);
    put("\r" + fitting + "\x1b[K");
    shown = true;
}

void clear_transient_line() {
    const std::lock_guard lock(drawing);
    if (shown) put("\r\x1b[K");
    shown = false;
}

}    // namespace blip
