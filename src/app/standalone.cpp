// See standalone.h.
#include "src/app/standalone.h"

#include <fcntl.h>

#include <cerrno>

#include "blip/base/log.h"
#include "src/app/error_text.h"

namespace blip {

void open_standard_streams() {
    for (int fd = 0; fd <= 2; ++fd) {
        if (::fcntl(fd, F_GETFD) == -1 && errno == EBADF) (void)::open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY);
    }
}

int run_alone(const std::function<ExitCode()>& verb) {
    init_log(0);
    try {
        return static_cast<int>(verb());
    } catch (...) {
        const auto [message, code] = describe_current_exception();
        log_error_text(message);
        return static_cast<int>(code);
    }
}

}    // namespace blip
