// The page that shows what was packed. Declared in report.h.
#include "data_prep/coco_pack/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "blip/base/durable_file.h"
#include "blip/base/printable.h"
#include "blip/data/packed/dataset.h"
#include "blip/image/thumbnail.h"
#include "data_prep/coco_pack/report.h"

namespace blip {

namespace {

constexpr std::int64_t pictures_shown = 50;
constexpr int longest_side = 256;

// No text becomes HTML.
std::string escaped(std::string_view text) {
    std::string html;
    for (const char c : printable_line(text))
        html += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : c == '"' ? "&quot;" : std::string(1, c);
    return html;
}

std::string picture(const Image& image) {
    const Thumbnail small = thumbnail(image, longest_side);
    return fmt::format("<img width=\"{}\" height=\"{}\" src=\"{}\">", small.width, small.height, small.uri());
}

}    // namespace

void write_sheet(const std::filesystem::path& packed, const std::filesystem::path& page) {
    const PackedDataset data = PackedDataset::open(packed);
    std::int64_t count = 0, before = 0;
    for (const SplitTables& split : data.splits()) count += split.image_count();
    const std::int64_t shown = std::min(count, pictures_shown);
    const std::string title = escaped(packed.filename().string());
    std::string html = fmt::format(
        "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>{0}</title>\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src "
        "'unsafe-inline'\">\n"
        "<style>body {{font: 14px sans-serif}} div {{display: inline-block; vertical-align: top; width: {1}px; margin: "
        "8px}}</style></head>\n<body><h1>{0}</h1><p>{2} of {3} pictures, data digest {4}</p>\n",
        title, longest_side, shown, count, data.data_digest());
    std::int64_t n = 0;
    for (const SplitTables& split : data.splits()) {
        for (; n < shown && n * count / shown < before + split.image_count(); ++n) {
            const std::int64_t row = n * count / shown - before;
            html += fmt::format("<div>{}<br><b>{} {}</b><ul>", picture(data.read_image(split, row)), split.name,
                                escaped(name_image(split, row)));
            const auto [first, last] = caption_rows(split, row);
            for (std::int64_t c = first; c < last; ++c) html += fmt::format("<li>{}</li>", escaped(split.text(c)));
            html += "</ul></div>\n";
        }
        before += split.image_count();
    }
    write_file_durably(page, html + "</body></html>\n");
}

}    // namespace blip
