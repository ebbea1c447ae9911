// See score_output.h.
#include "src/app/score_output.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/printable.h"

namespace blip {
namespace {

namespace fs = std::filesystem;

std::string without_blanks_at_the_end(const std::string& line) {
    return line.substr(0, line.find_last_not_of(' ') + 1);
}

}    // namespace

std::string name_ids(const std::vector<std::string>& ids) {
    constexpr std::size_t shown = 20;
    const std::size_t count = std::min(shown, ids.size());
    return fmt::format("{}{}", fmt::join(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count), ", "),
                       count < ids.size() ? fmt::format(" and {} more", ids.size() - count) : "");
}

std::string score_json(const ScoreReport& report) {
    nlohmann::ordered_json object;
    for (const auto& [name, value] : corpus_scores(report.scores)) object[name] = value;
    for (const auto& [domain, of_domain] : report.domains) object[domain] = corpus_scores(of_domain);
    if (report.missing > 0) {
        object["images"] = report.images;
        object["images_missing"] = report.missing;
    }
    return object.dump() + "\n";
}

std::string score_table(const ScoreReport& report) {
    std::string table;
    const auto add_row = [&](const std::string& name, const auto& cell) {
        std::string line = fmt::format("{:<10}{:<10}", name, cell(report.scores));
        for (const auto& [domain, of_domain] : report.domains) line += fmt::format("{:<13}", cell(of_domain));
        table += without_blanks_at_the_end(line) + "\n";
    };
    std::string heading = fmt::format("{:<20}", fmt::format("{:<10}all", ""));
    for (const auto& [domain, of_domain] : report.domains) heading += fmt::format("{:<13}", domain);
    if (!report.domains.empty()) table += without_blanks_at_the_end(heading) + "\n";
    add_row("images", [&](const CocoScores& of) {
        return fmt::format("{}", &of == &report.scores ? report.images : of.begin()->second.per_image.size());
    });
    for (const auto& [name, values] : report.scores)
        add_row(name, [&name = name](const CocoScores& of) { return fmt::format("{:.4f}", of.at(name).corpus); });
    if (!report.without_meteor.empty())
        table += fmt::format("METEOR not computed: {}\n", printable_line(report.without_meteor));
    return table + "SPICE     not computed\n";
}

void write_per_image(const fs::path& file, const std::vector<ImageReferences>& images, const CocoScores& scores) {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (std::size_t i = 0; i < images.size(); ++i) {
        nlohmann::ordered_json row;
        row["image_id"] = images[i].id.to_json();
        for (const auto& [name, values] : scores) row[name] = values.per_image[i];
        rows.push_back(std::move(row));
    }
    write_file_durably(file, rows.dump(1) + "\n");
}

void check_can_be_written(const fs::path& file) {
    std::error_code ignored;
    if (fs::is_directory(file, ignored)) throw Error(ExitCode::io, "cannot write {}: it is a folder", file.string());
    const DurableFile attempt(file);
}

}    // namespace blip
