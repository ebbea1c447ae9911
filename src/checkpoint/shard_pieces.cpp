// See shard_pieces.h.
#include "src/checkpoint/shard_pieces.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>
#include <string_view>

#include "blip/base/error.h"
#include "blip/base/number.h"

namespace blip {
namespace {

[[noreturn]] void bad(const std::filesystem::path& path, const std::string& what) {
    throw Error(ExitCode::bad_data, "{}: {}", path.string(), what);
}

struct PieceName {
    std::string kind, param;
    Range elements;
};

// nullopt if it is none, or its range is empty
std::optional<PieceName> parse_piece_name(const std::string& text) {
    const std::size_t slash = text.find('/'), open = text.rfind('['), colon = text.rfind(':');
    if (slash == std::string::npos || open == std::string::npos || colon == std::string::npos || open < slash ||
        colon < open || text.back() != ']') {
        return std::nullopt;
    }
    const std::string_view view = text;
    const auto begin = number_in<std::int64_t>(view.substr(open + 1, colon - open - 1));
    const auto end = number_in<std::int64_t>(view.substr(colon + 1, view.size() - colon - 2));
    if (!begin || !end || *begin < 0 || *begin >= *end) return std::nullopt;
    return PieceName{text.substr(0, slash), text.substr(slash + 1, open - slash - 1), {*begin, *end}};
}

}    // namespace

ShardPieces::ShardPieces(const std::filesystem::path& directory, const Manifest& manifest) {
    for (const ShardFile& shard : manifest.shards) add(WeightFile::open(directory / shard.name));
    check(directory);
}

void ShardPieces::add(std::unique_ptr<WeightFile> shard) {
    for (const auto& [name, tensor] : shard->tensors()) {
        const std::optional<PieceName> piece = parse_piece_name(name);
        if (!piece || tensor.dtype != "F32" || tensor.shape != std::vector<std::int64_t>{piece->elements.length()})
            bad(shard->path(), fmt::format("'{}' is no piece of a checkpoint", name));
        pieces_[piece->kind][piece->param].push_back({piece->elements, shard.get(), name});
    }
    shards_.push_back(std::move(shard));
}

void ShardPieces::check(const std::filesystem::path& directory) {
    for (auto& [kind, params] : pieces_) {
        for (auto& [param, pieces] : params) {
            std::sort(pieces.begin(), pieces.end(),
                      [](const StoredPiece& a, const StoredPiece& b) { return a.elements.begin < b.elements.begin; });
            std::int64_t at = 0;
            for (const auto& [range, shard, name] : pieces) {
                if (range.begin != at)
                    bad(directory,
                        fmt::format("{} of '{}' has elements {}..{} {}", kind, param, std::min(at, range.begin),
                                    std::max(at, range.begin), range.begin < at ? "twice" : "nowhere"));
                at = range.end;
            }
        }
    }
    const auto& masters = pieces_["master"];
    const auto count = [](const auto& of_kind, const std::string& param) {
        const auto found = of_kind.find(param);
        return found == of_kind.end() ? 0 : found->second.back().elements.end;
    };
    for (const char* kind : {"exp_avg", "exp_avg_sq"}) {
        const auto& other_moment = pieces_[std::string_view(kind) == "exp_avg" ? "exp_avg_sq" : "exp_avg"];
        for (const auto& [param, pieces] : pieces_[kind])
            if (count(masters, param) != pieces.back().elements.end)
                bad(directory, fmt::format("'{}' has not as many elements of master as of {}", param, kind));
        // a parameter without any moment was frozen
        for (const auto& [param, pieces] : masters)
            if (count(pieces_[kind], param) != pieces.back().elements.end && count(other_moment, param) > 0)
                bad(directory, fmt::format("'{}' has not as many elements of master as of {}", param, kind));
    }
    if (masters.empty()) bad(directory, "the shards hold no parameter");
}

void ShardPieces::read(const std::string& kind, const std::string& param, Range elements, const PieceSink& sink) const {
    for (const StoredPiece& piece : of(kind).at(param)) {
        if (piece.elements.end <= elements.begin || piece.elements.begin >= elements.end) continue;
        piece.shard->read(piece.name, [&](std::int64_t first, std::span<const float> values) {
            first += piece.elements.begin;
            const std::int64_t begin = std::max(first, elements.begin);
            const std::int64_t end = std::min(first + static_cast<std::int64_t>(values.size()), elements.end);
            if (begin < end)
                sink(begin,
                     values.subspan(static_cast<std::size_t>(begin - first), static_cast<std::size_t>(end - begin)));
        });
    }
}

}    // namespace blip
