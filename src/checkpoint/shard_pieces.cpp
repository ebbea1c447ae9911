// See shard_pieces.h.
#include "src/checkpoint/shard_pieces.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <tuple>

#include "blip/base/error.h"

namespace blip {
namespace {

[[noreturn]] void bad(const std::filesystem::path& path, const std::string& what) {
    throw Error(ExitCode::bad_data, fmt::format("{}: {}", path.string(), what));
}

void check_whole(const std::vector<StoredPiece>& pieces, const Layout& layout, const std::string& kind,
                 const std::filesystem::path& directory) {
    std::size_t next = 0;
    for (ParamId id = 0; id < layout.count(); ++id) {
        std::int64_t at = 0;
        for (; next < pieces.size() && pieces[next].param == id; ++next) {
            const Range range = pieces[next].elements;
            if (range.begin != at) {
                bad(directory, fmt::format("{} of '{}' has elements {}..{} {}", kind, layout.spec(id).name,
                                           std::min(at, range.begin), std::max(at, range.begin),
                                           range.begin < at ? "twice" : "nowhere"));
            }
            at = range.end;
        }
        if (at != layout.spec(id).element_count()) {
            bad(directory, fmt::format("{} of '{}' has {} of {} elements: another model, or an incomplete checkpoint",
                                       kind, layout.spec(id).name, at, layout.spec(id).element_count()));
        }
    }
}

}    // namespace

std::optional<PieceName> parse_piece_name(const std::string& text) {
    const std::size_t slash = text.find('/'), open = text.rfind('['), colon = text.rfind(':');
    if (slash == std::string::npos || open == std::string::npos || colon == std::string::npos || open < slash ||
        colon < open || text.back() != ']') {
        return std::nullopt;
    }
    PieceName name{text.substr(0, slash), text.substr(slash + 1, open - slash - 1), {}};
    const auto number = [](std::string_view digits, std::int64_t& value) {
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        return error == std::errc() && end == digits.data() + digits.size();
    };
    const std::string_view view = text;
    if (!number(view.substr(open + 1, colon - open - 1), name.elements.begin) ||
        !number(view.substr(colon + 1, view.size() - colon - 2), name.elements.end)) {
        return std::nullopt;
    }
    return name.elements.begin >= 0 && name.elements.begin < name.elements.end ? std::optional(name) : std::nullopt;
}

ShardPieces::ShardPieces(const std::filesystem::path& directory, const Manifest& manifest, const Layout& layout,
                         const std::vector<std::string>& kinds) {
    for (const std::string& kind : kinds) pieces_[kind];
    for (const ShardFile& shard : manifest.shards) {
        const SafetensorsFile file = SafetensorsFile::open(directory / shard.name);
        for (const auto& [name, entry] : file.entries()) {
            const std::optional<PieceName> piece = parse_piece_name(name);
            if (!piece) bad(file.path(), fmt::format("'{}' is no piece of a checkpoint", name));
            const auto wanted = pieces_.find(piece->kind);
            if (wanted == pieces_.end()) continue;
            const ParamId id = layout.find(piece->param);
            if (id < 0) bad(file.path(), fmt::format("parameter '{}' is unknown to this model", piece->param));
            const Range range = piece->elements;
            const bool fits = range.end <= layout.spec(id).element_count();
            if (!fits || entry.dtype != "F32" || entry.shape != std::vector<std::int64_t>{range.length()}) {
                bad(file.path(),
                    fmt::format("'{}' does not fit a parameter of {} elements", name, layout.spec(id).element_count()));
            }
            wanted->second.push_back({id, range, file.tensor(name)});
        }
    }
    for (auto& [kind, pieces] : pieces_) {
        std::sort(pieces.begin(), pieces.end(), [](const StoredPiece& a, const StoredPiece& b) {
            return std::tuple(a.param, a.elements.begin, a.elements.end) <
                   std::tuple(b.param, b.elements.begin, b.elements.end);
        });
        check_whole(pieces, layout, kind, directory);
    }
}

}    // namespace blip
