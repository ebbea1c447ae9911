// The progress line on a pseudo-terminal and in a log, and the formats of durations and sizes.
#include "blip/report/progress.h"

#include <fcntl.h>
#include <pty.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <thread>
#include <vector>

#include "blip/base/log.h"
#include "src/report/terminal.h"
#include "tests/support/paths.h"

using namespace blip;

namespace {

// stderr is a terminal of so many columns, or a file, as long as this lives.
class CapturedStderr {
  public:
    explicit CapturedStderr(int columns) {
        if (columns > 0) {
            setenv("TERM", "xterm", 1);
            winsize size{};
            size.ws_col = static_cast<unsigned short>(columns);
            BOOST_REQUIRE(openpty(&reader_, &writer_, nullptr, nullptr, &size) == 0);
        } else {
            int ends[2];
            BOOST_REQUIRE(pipe(ends) == 0);
            reader_ = ends[0];
            writer_ = ends[1];
        }
        fcntl(reader_, F_SETFL, O_NONBLOCK);
        saved_ = dup(2);
        dup2(writer_, 2);
        init_log(0);    // the logger looks at its stream anew
    }
    ~CapturedStderr() {
        if (saved_ >= 0) text();
        close(reader_);
    }
    // What was written; stderr is the real one again.
    std::string text() {
        std::string all;
        char piece[4096];
        for (ssize_t n; (n = read(reader_, piece, sizeof piece)) > 0;) all.append(piece, static_cast<std::size_t>(n));
        dup2(saved_, 2);
        close(saved_);
        close(writer_);
        saved_ = -1;
        init_log(0);
        return all;
    }

  private:
    int reader_ = -1, writer_ = -1, saved_ = -1;
};

std::vector<std::string> split(const std::string& text, const std::string& separator) {
    std::vector<std::string> parts;
    std::size_t begin = 0;
    for (std::size_t end; (end = text.find(separator, begin)) != std::string::npos; begin = end + separator.size())
        parts.push_back(text.substr(begin, end - begin));
    parts.push_back(text.substr(begin));
    return parts;
}

}    // namespace

BOOST_AUTO_TEST_SUITE(progress)

// As the caption verb shows it: on a terminal alone, and nothing of it stays.
BOOST_AUTO_TEST_CASE(without_log_lines_only_a_terminal_sees_it) {
    for (const int columns : {0, 50}) {
        CapturedStderr output(columns);
        {
            Progress progress("captions", 2, true, -1);
            progress.update(0);
            progress.update(2);
        }
        const std::string text = output.text();
        if (columns == 0)
            BOOST_TEST(text == "");
        else
            BOOST_TEST(text == "\rcaptions 0/2  0 %\x1b[K\r\x1b[K");
    }
}

BOOST_AUTO_TEST_CASE(terminal_line_is_rewritten_cut_to_the_width_and_cleared_for_log_lines) {
    CapturedStderr terminal(50);
    {
        Progress progress("epoch 1", 10, true);
        progress.update(1, {"epoch 1  step 1/10", "loss 5.1234"});
        std::this_thread::sleep_for(std::chrono::milliseconds(120));
        progress.update(2, {"epoch 1  step 2/10", "loss 4.1234", "more than fits in fifty columns", "last"});
        log_info("something happened");
        std::this_thread::sleep_for(std::chrono::milliseconds(120));
        progress.update(3, {"epoch 1  step 3/10", "x"});
    }
    const std::string text = terminal.text();
    const auto drawn = split(text, "\r");
    std::size_t transient = 0;
    for (const auto& piece : drawn) {
        const auto end = piece.find("\x1b[K");
        if (end == std::string::npos || end == 0) continue;
        ++transient;
        BOOST_TEST(end <= 49U, piece);
        BOOST_TEST(piece.substr(0, 8) == "epoch 1 ");
    }
    BOOST_TEST(transient == 3U);
    // whole fields, the ETA behind the place
    BOOST_TEST(text.find("\repoch 1  step 2/10  ETA 1 s  loss 4.1234\x1b[K") != std::string::npos, text);
    // the line is wiped before the log line appears, and at the end
    const auto logged = text.find("something happened");
    BOOST_REQUIRE(logged != std::string::npos);
    const auto wiped = text.rfind("\r\x1b[K", logged);
    BOOST_REQUIRE(wiped != std::string::npos);
    BOOST_TEST(text.substr(wiped + 1, logged - wiped).find("epoch") == std::string::npos);
    BOOST_TEST(text.ends_with("\r\x1b[K"));
    BOOST_TEST(text.find("ETA") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(without_a_terminal_first_and_last_lines_and_those_in_between_after_a_while) {
    CapturedStderr captured(0);
    {
        Progress progress("packing", 5, true, 0.15);
        progress.update(1);
        progress.update(2);
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
        progress.update(3, {"place", "c"});
        progress.update(4);
        progress.update(5, {"place", "e", "f"});
    }
    const std::string text = captured.text();
    BOOST_TEST(text.find('\r') == std::string::npos);
    const auto lines = split(text, "\n");
    BOOST_REQUIRE(lines.size() == 4U);    // three and the empty end
    BOOST_TEST(lines[0].ends_with("packing 1/5  20 %"));
    BOOST_TEST(lines[1].find("place  ETA ") != std::string::npos);
    BOOST_TEST(lines[1].ends_with("  c"));
    BOOST_TEST(lines[2].ends_with("place  e  f"));
}

BOOST_AUTO_TEST_CASE(disabled_progress_is_silent_and_so_is_a_short_one_without_its_ends) {
    for (const bool enabled : {false, true}) {
        CapturedStderr output(enabled ? 0 : 80);
        {
            Progress progress("epoch", 2, enabled, 30, /*ends=*/false);
            progress.update(1);
            progress.update(2);
        }
        BOOST_TEST(output.text() == "");
    }
}

BOOST_AUTO_TEST_CASE(warnings_and_errors_alone_have_a_colour_on_a_terminal_or_as_asked_for) {
    const auto lines = [](int columns, const char* variable) {
        if (variable != nullptr) setenv(variable, "1", 1);
        CapturedStderr output(columns);
        log_info("plain");
        log_warning("look");
        log_error("stop");
        const std::string text = output.text();
        if (variable != nullptr) unsetenv(variable);
        return text;
    };
    for (const std::string& coloured : {lines(80, nullptr), lines(0, "CLICOLOR_FORCE")}) {
        BOOST_TEST(coloured.find("\x1b[33mwarning: look") != std::string::npos, coloured);
        BOOST_TEST(coloured.find("\x1b[31merror: stop") != std::string::npos, coloured);
        BOOST_TEST(coloured.find("m"
                                 "plain") == std::string::npos,
                   coloured);
    }
    for (const std::string& without : {lines(0, nullptr), lines(80, "NO_COLOR")})
        BOOST_TEST(without.find('\x1b') == std::string::npos, without);
}

BOOST_AUTO_TEST_CASE(text_is_cut_between_characters) {
    BOOST_TEST(fitting_fields({"ab", "c\xC3\xA9", "e"}, 9) == "ab  c\xC3\xA9  e");
    BOOST_TEST(fitting_fields({"ab", "c\xC3\xA9", "e"}, 8) == "ab  c\xC3\xA9");
    BOOST_TEST(fitting_fields({"ab", "c\xC3\xA9", "e"}, 5) == "ab");
    BOOST_TEST(fitting_fields({"ab", "c\xC3\xA9", "e"}, 1) == "a");
    BOOST_TEST(first_columns("abc", 3) == "abc");
    BOOST_TEST(first_columns("abc", 2) == "ab");
    BOOST_TEST(first_columns("h\xC3\xA9llo", 2) == "h\xC3\xA9");
}

BOOST_AUTO_TEST_CASE(durations_and_sizes) {
    BOOST_TEST(format_duration(9.4) == "9 s");
    BOOST_TEST(format_duration(59.6) == "1 min 00 s");
    BOOST_TEST(format_duration(192) == "3 min 12 s");
    BOOST_TEST(format_duration(7500) == "2 h 05 min");
    BOOST_TEST(format_duration(7199) == "2 h 00 min");
    BOOST_TEST(format_duration(-1) == "unknown");
    BOOST_TEST(format_percent(599, 1000) == "59 %");
    BOOST_TEST(format_bytes(512) == "512 B");
    BOOST_TEST(format_bytes(1536.0 * 1024 * 1024) == "1.5 GiB");
    BOOST_TEST(format_bytes(1024.0 * 1024 - 1) == "1.0 MiB");
}

BOOST_AUTO_TEST_SUITE_END()
