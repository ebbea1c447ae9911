// See report.h.
#include "src/app/score/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "blip/base/json.h"
#include "blip/base/printable.h"

namespace blip {

using nlohmann::ordered_json;

static void to_json(ordered_json& json, const Interval& interval) { json = {interval.low, interval.high}; }

namespace {

using Cells = std::vector<std::string>;

// A table of texts as people print it.
struct ScoreSheet {
    Cells heading;    // empty: none in text
    std::vector<Cells> rows;

    ScoreSheet transposed() const {
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
};

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

// Columns one below the other, the first two at least 10 wide, others 13; no blanks at the ends of lines.
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

// For the package booktabs.
std::string latex_table(const ScoreSheet& sheet) {
    std::string table = "\\begin{tabular}{l" + std::string(sheet.heading.size() - 1, 'r') + "}\n\\toprule\n";
    table += joined(sheet.heading, "", " & ", " \\\\\n", for_latex) + "\\midrule\n";
    for (const Cells& row : sheet.rows) table += joined(row, "", " & ", " \\\\\n", for_latex);
    return table + "\\bottomrule\n\\end{tabular}\n";
}

ordered_json captions_of(const SystemReport& system) {
    const CaptionAnalysis& captions = system.captions;
    ordered_json object = {{"mean_length", captions.mean_length},   {"vocabulary", captions.vocabulary},
                           {"unseen_words", captions.unseen_words}, {"distinct_1", captions.distinct_1},
                           {"distinct_2", captions.distinct_2},     {"bad_endings", captions.bad_endings}};
    if (system.diversity)
        object["diversity"] = {{"images", system.diversity->images},
                               {"captions", system.diversity->captions},
                               {"self_cider", system.diversity->self_cider}};
    return object;
}

ordered_json json_of(const ScoreReport& report, const ComparedPair& pair) {
    ordered_json object = {{"first", report.systems[pair.first].name}, {"second", report.systems[pair.second].name}};
    for (std::size_t k = 0; k < report.compared.size(); ++k) {
        const Comparison& compared = pair.by_score[k];
        object[report.compared[k]] = {{"difference", compared.difference},
                                      {"interval", compared.interval},
                                      {"p_bootstrap", compared.p_bootstrap},
                                      {"p_randomisation", compared.p_randomisation}};
    }
    return object;
}

// Scores as they are printed.
struct ScoreFormat {
    bool percent;

    std::string score(double value) const { return fmt::format("{:.{}f}", value * (percent ? 100 : 1), places()); }
    std::string difference(double value) const {
        return fmt::format("{:+.{}f}", value * (percent ? 100 : 1), places());
    }
    std::string interval(const Interval& range) const {
        return fmt::format("[{}, {}]", score(range.low), score(range.high));
    }
    int places() const { return percent ? 2 : 4; }
};

ScoreSheet scores_sheet(const ScoreReport& report, const ScoreFormat& format, bool name_system) {
    ScoreSheet sheet;
    sheet.heading = {""};
    std::vector<std::string> images = {"images"};
    for (const SystemReport& system : report.systems) {
        sheet.heading.push_back(report.systems.size() > 1 || (name_system && report.domains.empty()) ? system.name
                                                                                                     : "all");
        images.push_back(std::to_string(report.images));
    }
    for (const auto& [domain, of_domain] : report.domains) {
        sheet.heading.push_back(domain);
        images.push_back(std::to_string(of_domain.images));
    }
    sheet.rows.push_back(std::move(images));
    for (const auto& [name, value] : report.systems.front().scores) {
        std::vector<std::string> row = {name};
        for (const SystemReport& system : report.systems) {
            const auto interval = system.intervals.find(name);
            row.push_back(format.score(system.scores.at(name)) +
                          (interval == system.intervals.end() ? "" : " " + format.interval(interval->second)));
        }
        for (const auto& [domain, of_domain] : report.domains) row.push_back(format.score(of_domain.scores.at(name)));
        sheet.rows.push_back(std::move(row));
    }
    if (report.spice) sheet.rows.push_back({"SPICE", format.score(*report.spice)});
    return sheet;
}

ScoreSheet pair_sheet(const ScoreReport& report, const ComparedPair& pair, const ScoreFormat& format) {
    const auto p_value = [](double p) { return fmt::format("{:.4f}", p); };
    ScoreSheet sheet;
    sheet.heading = {"", "difference", "95 % interval", "p, bootstrap", "p, randomisation"};
    for (const auto& [name, value] : report.systems.front().scores) {
        const auto found = std::find(report.compared.begin(), report.compared.end(), name);
        const Comparison& compared = pair.by_score[static_cast<std::size_t>(found - report.compared.begin())];
        sheet.rows.push_back({name, format.difference(compared.difference), format.interval(compared.interval),
                              p_value(compared.p_bootstrap), p_value(compared.p_randomisation)});
    }
    return sheet;
}

std::string captions_line(const CaptionAnalysis& captions) {
    return fmt::format(
        "{:.1f} words, {} different ones ({:.1f} % in no reference), distinct-1 {:.3f}, distinct-2 "
        "{:.3f}, {:.1f} % end badly",
        captions.mean_length, captions.vocabulary, 100 * captions.unseen_words, captions.distinct_1,
        captions.distinct_2, 100 * captions.bad_endings);
}

std::string worst_text(const ScoreReport& report, const ScoreFormat& format) {
    std::string text = fmt::format("\nlowest {}\n", report.worst_metric);
    for (const WorstImage& image : report.worst) {
        text += fmt::format("{}  {}: {}\n", format.score(image.score), printable_line(image.id.text),
                            printable_line(image.caption));
        for (const std::string& reference : image.references)
            text += fmt::format("    {}\n", printable_line(reference));
    }
    return text;
}

}    // namespace

std::string score_json(const ScoreReport& report, const ScoreOptions& options) {
    const SystemReport& first = report.systems.front();
    ordered_json object;
    for (const auto& [name, value] : first.scores) object[name] = value;
    for (const auto& [domain, of_domain] : report.domains) object[domain] = of_domain.scores;
    if (report.missing > 0) {
        object["images"] = report.images;
        object["images_missing"] = report.missing;
    }
    if (report.spice) {
        object["SPICE"] = *report.spice;
        object["SPICE_from"] = options.spice.string();
    }
    if (!first.intervals.empty()) object["intervals"] = first.intervals;
    object["captions"] = captions_of(first);
    object["signature"] = report.signature;
    if (report.systems.size() > 1)
        for (const SystemReport& system : report.systems) {
            ordered_json row = {{"name", system.name}};
            for (const auto& [name, value] : system.scores) row[name] = value;
            row["intervals"] = system.intervals;
            row["captions"] = captions_of(system);
            object["systems"].push_back(std::move(row));
        }
    for (const ComparedPair& pair : report.pairs) object["comparisons"].push_back(json_of(report, pair));
    for (const WorstImage& image : report.worst)
        object["worst"].push_back({{"image_id", image.id.to_json()},
                                   {report.worst_metric, image.score},
                                   {"caption", image.caption},
                                   {"references", image.references}});
    return to_line(object) + "\n";
}

std::string score_text(const ScoreReport& report, const ScoreOptions& options) {
    const ScoreFormat format{options.percent};
    const bool plain = options.table == "text";
    const auto render = [&](const ScoreSheet& sheet) {
        return plain ? plain_table(sheet) : options.table == "markdown" ? markdown_table(sheet) : latex_table(sheet);
    };
    const auto remark = [&](const std::string& line) {
        return options.table == "latex" ? "% " + line + "\n" : line + "\n";
    };
    std::string text;
    ScoreSheet scores = scores_sheet(report, format, !plain);
    if (plain && report.systems.size() == 1 && report.domains.empty()) scores.heading.clear();
    text += render(plain ? scores : scores.transposed());
    if (!plain) text += "\n";
    if (!report.without_meteor.empty()) text += remark("METEOR not computed: " + printable_line(report.without_meteor));
    text += remark(report.spice ? "SPICE     is of " + printable_line(options.spice.string()) + ", not computed here"
                                : "SPICE     not computed");
    if (!report.about_cider.empty()) text += remark(report.about_cider);
    for (const SystemReport& system : report.systems) {
        const std::string name = report.systems.size() > 1 ? printable_line(system.name) + ": " : "";
        text += remark("captions  " + name + captions_line(system.captions));
        if (system.diversity)
            text +=
                remark(fmt::format("diversity {}self-CIDEr {:.3f} over the {} captions of {} images", name,
                                   system.diversity->self_cider, system.diversity->captions, system.diversity->images));
    }
    text += remark("signature " + report.signature);
    for (const ComparedPair& pair : report.pairs) {
        text += "\n" + remark(fmt::format("{} less {}: paired bootstrap of {} resamples, paired randomisation of {} "
                                          "exchanges, seed {}",
                                          printable_line(report.systems[pair.second].name),
                                          printable_line(report.systems[pair.first].name), report.resampling.resamples,
                                          report.resampling.exchanges, report.resampling.seed));
        text += (plain ? "" : "\n") + render(pair_sheet(report, pair, format));
    }
    if (!report.worst.empty()) text += worst_text(report, format);
    return text;
}

}    // namespace blip
