// See sheet.h.
#include "src/app/score/sheet.h"

#include <algorithm>
#include <cstddef>

#include "blip/base/printable.h"

namespace blip {
namespace {

using Cells = std::vector<std::string>;

std::vector<std::size_t> column_widths(const ScoreSheet& sheet) {
    std::vector<std::size_t> widths;
    const auto look = [&](const Cells& cells) {
        for (std::size_t i = 0; i < cells.size(); ++i) {
            if (i == widths.size()) widths.push_back(i < 2 ? 10 : 13);
            widths[i] = std::max(widths[i], cells[i].size() + 2);
        }
    };
    look(sheet.heading);
    for (const Cells& row : sheet.rows) look(row);
    return widths;
}

std::string joined(const Cells& cells, const char* before, const char* between, const char* after,
                   std::string (*escaped)(const std::string&)) {
    std::string line = before;
    for (std::size_t i = 0; i < cells.size(); ++i) line += (i == 0 ? "" : between) + escaped(cells[i]);
    return line + after;
}

std::string for_markdown(const std::string& text) {
    std::string escaped;
    for (const char c : printable_line(text))
        escaped += c == '|' || c == '_' || c == '*' ? std::string("\\") + c : std::string(1, c);
    return escaped;
}

std::string for_latex(const std::string& text) {
    std::string escaped;
    for (const char c : printable_line(text)) {
        if (c == '\\')
            escaped += "\\textbackslash{}";
        else if (c == '~' || c == '^')
            escaped += std::string("\\") + c + "{}";
        else if (std::string("_%&#${}").find(c) != std::string::npos)
            escaped += std::string("\\") + c;
        else
            escaped += c;
    }
    return escaped;
}

}    // namespace

ScoreSheet ScoreSheet::transposed() const {
    ScoreSheet result;
    for (std::size_t column = 0; column < heading.size(); ++column) {
        Cells cells = {heading[column]};
        for (const Cells& row : rows) cells.push_back(column < row.size() ? row[column] : "");
        if (column == 0)
            result.heading = std::move(cells);
        else
            result.rows.push_back(std::move(cells));
    }
    return result;
}

std::string plain_table(const ScoreSheet& sheet) {
    const std::vector<std::size_t> widths = column_widths(sheet);
    std::string table;
    const auto add = [&](const Cells& cells) {
        std::string line;
        for (std::size_t i = 0; i < cells.size(); ++i) {
            const std::string cell = printable_line(cells[i]);
            line += cell + std::string(widths[i] - std::min(widths[i], cell.size()), ' ');
        }
        table += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    };
    if (!sheet.heading.empty()) add(sheet.heading);
    for (const Cells& row : sheet.rows) add(row);
    return table;
}

std::string markdown_table(const ScoreSheet& sheet) {
    std::string table = joined(sheet.heading, "| ", " | ", " |\n", for_markdown) + "|---|";
    for (std::size_t i = 1; i < sheet.heading.size(); ++i) table += "---:|";
    table += "\n";
    for (const Cells& row : sheet.rows) table += joined(row, "| ", " | ", " |\n", for_markdown);
    return table;
}

std::string latex_table(const ScoreSheet& sheet) {
    std::string table = "\\begin{tabular}{l" + std::string(sheet.heading.size() - 1, 'r') + "}\n\\toprule\n";
    table += joined(sheet.heading, "", " & ", " \\\\\n", for_latex) + "\\midrule\n";
    for (const Cells& row : sheet.rows) table += joined(row, "", " & ", " \\\\\n", for_latex);
    return table + "\\bottomrule\n\\end{tabular}\n";
}

}    // namespace blip
