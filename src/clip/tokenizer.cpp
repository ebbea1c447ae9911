// See tokenizer.h.
#include "src/clip/tokenizer.h"

#include <fmt/format.h>
#include <unicode/uchar.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/json.h"
#include "blip/base/printable.h"
#include "blip/text/text_file.h"
#include "blip/text/unicode.h"

namespace blip {
namespace {

namespace fs = std::filesystem;

constexpr const char* end_of_word = "</w>";

// The character that stands for a byte in tokens, as in GPT-2: printable ones of Latin-1 for themselves, the others, in
// their order, those from U+0100 on.
std::string byte_name(int byte) {
    const auto printed = [](int b) { return (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE; };
    char32_t c = static_cast<char32_t>(byte);
    if (!printed(byte)) {
        c = 0x100;
        for (int before = 0; before < byte; ++before) c += printed(before) ? 0 : 1;
    }
    std::string name;
    append_utf8(c, name);
    return name;
}

// Character by character: a capital sigma at the end of a word becomes the plain one.
CodePoints lower_by_character(std::string_view text) {
    if (is_ascii(text)) return to_code_points(lower_case(text));
    CodePoints lower;
    for (const char32_t c : to_code_points(text))
        lower += to_code_points(lower_case(to_utf8(std::u32string_view(&c, 1))));
    return lower;
}

enum class Kind { space, letter, number, symbol };

Kind kind_of(char32_t c) {
    if (is_python_space(c)) return Kind::space;
    const std::uint32_t category = category_mask(c);
    if ((category & U_GC_L_MASK) != 0) return Kind::letter;
    return (category & U_GC_N_MASK) != 0 ? Kind::number : Kind::symbol;
}

// "'s" and the like at this place: how many characters; 0 if there is none.
std::size_t ending_at(std::u32string_view text) {
    for (const std::u32string_view ending : {U"'s", U"'t", U"'re", U"'ve", U"'m", U"'ll", U"'d"})
        if (text.starts_with(ending)) return ending.size();
    return 0;
}

// Endings of English words, runs of letters, single digits, runs of what is none of these.
std::vector<std::string> pieces_of(std::u32string_view text) {
    std::vector<std::string> pieces;
    for (std::size_t at = 0; at < text.size();) {
        const Kind kind = kind_of(text[at]);
        std::size_t length = ending_at(text.substr(at));
        if (length == 0) {
            length = 1;
            while (kind != Kind::number && at + length < text.size() && kind_of(text[at + length]) == kind) ++length;
        }
        if (kind != Kind::space) pieces.push_back(to_utf8(text.substr(at, length)));
        at += length;
    }
    return pieces;
}

std::uint64_t pair_key(std::int64_t left, std::int64_t right) {
    return static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint64_t>(right);
}

}    // namespace

ClipTokenizer::ClipTokenizer(const fs::path& folder, std::int64_t words)
    : vocabulary_file_((folder / "vocab.json").string()) {
    const nlohmann::json vocabulary = parse_object(read_file(vocabulary_file_), vocabulary_file_);
    for (const auto& [token, id] : vocabulary.items()) {
        const bool whole = id.is_number_integer() && id.get<std::int64_t>() >= 0;
        if (!whole || id.get<std::int64_t>() >= words)
            throw Error(ExitCode::bad_data, "{}: '{}' has the id {}; config.json tells of the ids 0 to {}",
                        vocabulary_file_, printable(token), id.dump(), words - 1);
        ids_.emplace(token, id.get<std::int64_t>());
    }
    start_ = id_of("<|startoftext|>");
    end_ = id_of("<|endoftext|>");
    for (int byte = 0; byte < 256; ++byte) {
        bytes_.push_back(id_of(byte_name(byte)));
        last_bytes_.push_back(id_of(byte_name(byte) + end_of_word));
    }
    read_merges(folder / "merges.txt");
}

std::int64_t ClipTokenizer::id_of(const std::string& token) const {
    if (const auto found = ids_.find(token); found != ids_.end()) return found->second;
    throw Error(ExitCode::bad_data, "{} lacks the token '{}': it is no vocabulary of CLIP, or a damaged one",
                vocabulary_file_, printable(token));
}

void ClipTokenizer::read_merges(const fs::path& file) {
    for_each_line(read_text(file), [&](std::int64_t line, std::string_view text) {
        if (text.empty() || text.starts_with("#version")) return;
        const std::size_t space = std::min(text.find(' '), text.size());
        const std::string left(text.substr(0, space)), right(text.substr(std::min(space + 1, text.size())));
        const auto first = ids_.find(left), second = ids_.find(right), whole = ids_.find(left + right);
        if (space == text.size() || first == ids_.end() || second == ids_.end() || whole == ids_.end())
            throw Error(ExitCode::bad_data, "{}: line {}: '{}' is no pair of tokens that {} has, and their whole, too",
                        file.string(), line, printable(std::string(text)), vocabulary_file_);
        merges_.try_emplace(pair_key(first->second, second->second), Merge{merges_.size(), whole->second});
    });
}

// Of all pairs side by side the one that was learnt first becomes one, until none is left.
const std::vector<std::int64_t>& ClipTokenizer::ids_of_piece(const std::string& piece) {
    const auto [place, is_new] = known_.try_emplace(piece);
    std::vector<std::int64_t>& ids = place->second;
    if (!is_new) return ids;
    for (std::size_t i = 0; i < piece.size(); ++i)
        ids.push_back((i + 1 < piece.size() ? bytes_ : last_bytes_)[static_cast<unsigned char>(piece[i])]);
    while (ids.size() > 1) {
        const Merge* first = nullptr;
        std::uint64_t key = 0;
        for (std::size_t i = 0; i + 1 < ids.size(); ++i)
            if (const auto found = merges_.find(pair_key(ids[i], ids[i + 1]));
                found != merges_.end() && (first == nullptr || found->second.rank < first->rank)) {
                first = &found->second;
                key = found->first;
            }
        if (first == nullptr) break;
        std::size_t to = 0;
        for (std::size_t i = 0; i < ids.size(); ++i) {
            const bool pair = i + 1 < ids.size() && pair_key(ids[i], ids[i + 1]) == key;
            ids[to++] = pair ? first->merged : ids[i];
            i += pair ? 1 : 0;
        }
        ids.resize(to);
    }
    return ids;
}

std::vector<std::int64_t> ClipTokenizer::encode(std::string_view text, std::size_t longest) {
    std::vector<std::int64_t> ids = {start_};
    for (const std::string& piece : pieces_of(lower_by_character(canonical(text, /*composed=*/true)))) {
        const std::vector<std::int64_t>& own = ids_of_piece(piece);
        ids.insert(ids.end(), own.begin(), own.end());
        if (ids.size() >= longest) break;
    }
    ids.resize(std::min(ids.size(), longest - 1));
    ids.push_back(end_);
    return ids;
}

}    // namespace blip
