// See text_file.h.
#include "blip/text/text_file.h"

#include <csv.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/text/caption_text.h"

namespace blip {

namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

}    // namespace

std::size_t first_sign(std::string_view text) {
    return text.find_first_not_of(" \t\r\n", text.starts_with(byte_order_mark) ? byte_order_mark.size() : 0);
}

std::string read_text(const std::filesystem::path& path) {
    return as_text(read_regular_file(path, std::numeric_limits<std::size_t>::max()), path);
}

std::string as_text(std::string bytes, const std::filesystem::path& origin) {
    if (const std::string encoding = describe_encoding(bytes); !encoding.empty())
        throw Error(ExitCode::bad_data, "{}: {}", origin.string(), encoding);
    if (bytes.starts_with(byte_order_mark)) bytes.erase(0, byte_order_mark.size());
    return bytes;
}

void for_each_line(std::string_view text, const std::function<void(std::int64_t, std::string_view)>& take) {
    for (std::int64_t line = 1; !text.empty(); ++line) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view one = text.substr(0, end);
        if (one.ends_with('\r')) one.remove_suffix(1);
        take(line, one);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

void for_each_row(const JsonFile& file, std::string_view text, char delimiter,
                  const std::function<void(std::int64_t, std::vector<std::string>)>& take) {
    struct Reading {
        csv_parser parser{};
        std::vector<std::string> cells;
        std::int64_t row_line = 0;
        const std::function<void(std::int64_t, std::vector<std::string>)>& take;
        std::exception_ptr thrown{};    // must not pass through C

        explicit Reading(const std::function<void(std::int64_t, std::vector<std::string>)>& function) : take(function) {
            if (csv_init(&parser, 0) != 0) throw std::bad_alloc();
        }
        ~Reading() { csv_free(&parser); }
        static void end_cell(void* bytes, std::size_t count, void* self) {
            static_cast<Reading*>(self)->cells.emplace_back(static_cast<const char*>(bytes), count);
        }
        static void end_row(int, void* self) {
            auto& reading = *static_cast<Reading*>(self);
            auto cells = std::exchange(reading.cells, {});
            if (reading.thrown) return;
            try {
                reading.take(reading.row_line, std::move(cells));
            } catch (...) {
                reading.thrown = std::current_exception();
            }
        }
    } reading(take);
    csv_set_delim(&reading.parser, static_cast<unsigned char>(delimiter));
    csv_set_space_func(&reading.parser, [](unsigned char) { return 0; });    // blanks belong to the cell
    std::int64_t line = 1;
    bool within = false;    // a row that began on an earlier line
    for (std::size_t begin = 0; begin < text.size(); ++line) {
        const std::size_t end = std::min(text.find('\n', begin), text.size() - 1) + 1;
        if (!within) reading.row_line = line;
        if (csv_parse(&reading.parser, text.data() + begin, end - begin, Reading::end_cell, Reading::end_row,
                      &reading) != end - begin)
            throw Error(ExitCode::internal, "{}: line {}: {}", file.path.string(), line,
                        csv_strerror(csv_error(&reading.parser)));
        if (reading.thrown) std::rethrow_exception(reading.thrown);
        within = reading.parser.quoted != 0 && text[end - 1] == '\n' && reading.parser.pstate != 0;
        begin = end;
    }
    if (within) bad_json(file, fmt::format("line {}", reading.row_line), "a cell's quote does not end");
    csv_fini(&reading.parser, Reading::end_cell, Reading::end_row, &reading);
    if (reading.thrown) std::rethrow_exception(reading.thrown);
}

std::string csv_cell(std::string_view text) {
    if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
    std::string cell(2 * text.size() + 2, '\0');
    cell.resize(csv_write(cell.data(), cell.size(), text.data(), text.size()));
    return cell;
}

char find_delimiter(std::string_view text) {
    const std::string_view first = text.substr(0, text.find('\n'));
    char best = ',';
    for (const char c : {'\t', ';', '|'})
        if (std::count(first.begin(), first.end(), c) > std::count(first.begin(), first.end(), best)) best = c;
    return best;
}

}    // namespace blip
