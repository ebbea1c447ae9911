// BERT-base-uncased WordPiece (Devlin et al. 2018; the tokenizer that the reference job uses).
// Legend: a word is a run between white space or punctuation, a piece an entry of the vocabulary ("##" inside a word).
#include "blip/text/wordpiece.h"

#include <fmt/format.h>
#include <unicode/uchar.h>

#include <algorithm>
#include <array>
#include <boost/algorithm/string/replace.hpp>
#include <utility>

#include "blip/base/digest.h"
#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/text/text_file.h"
#include "blip/text/unicode.h"

namespace blip {
namespace {

constexpr std::size_t longest_word = 100;    // code points; a longer word is one [UNK]
constexpr std::size_t longest_piece_bytes = 128;

constexpr std::array<std::pair<std::string_view, TokenId>, 7> special_words{{
    {"[PAD]", SpecialTokens::pad},
    {"[UNK]", SpecialTokens::unk},
    {"[CLS]", SpecialTokens::cls},
    {"[SEP]", SpecialTokens::sep},
    {"[MASK]", SpecialTokens::mask},
    {"[DEC]", SpecialTokens::dec},
    {"[ENC]", SpecialTokens::enc},
}};

bool is_special(TokenId id) {
    return std::any_of(special_words.begin(), special_words.end(),
                       [id](const auto& word) { return word.second == id; });
}

// The ideographs that BERT sets apart; Hangul and kana are not among them.
bool is_cjk(char32_t c) {
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
           (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B820 && c <= 0x2CEAF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

bool is_punctuation(char32_t c) {
    if (c < 0x80) return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) || (c >= 123 && c <= 126);
    return (category_mask(c) & U_GC_P_MASK) != 0;
}

// Control, format, unassigned and private characters go, kinds of space become spaces, ideographs stand alone.
CodePoints clean(std::string_view text) {
    CodePoints result;
    result.reserve(text.size() + 8);
    for (const char32_t c : to_code_points(text)) {
        const std::uint32_t category = category_mask(c);
        if (c == '\t' || c == '\n' || c == '\r' || (category & U_GC_ZS_MASK) != 0) {
            result.push_back(U' ');
        } else if (c == 0xFFFD || (category & U_GC_C_MASK) != 0) {
            continue;
        } else if (is_cjk(c)) {
            result.append({U' ', c, U' '});
        } else {
            result.push_back(c);
        }
    }
    return result;
}

// Greedy longest match; any part without a match makes the whole word one [UNK].
void append_pieces(const Vocabulary& vocabulary, std::u32string_view word, std::vector<TokenId>& ids) {
    if (word.size() > longest_word) {
        ids.push_back(SpecialTokens::unk);
        return;
    }
    const std::size_t before = ids.size();
    const std::string text = "##" + to_utf8(word);
    for (std::size_t start = 2; start < text.size();) {
        const std::size_t prefix = start == 2 ? 0 : 2;    // pieces after the first carry "##"
        std::size_t end = std::min(text.size(), start + longest_piece_bytes);
        TokenId found = -1;
        std::string piece = (prefix == 0 ? "" : "##") + text.substr(start, end - start);
        for (; end > start; --end) {
            const bool boundary = end == text.size() || (static_cast<unsigned char>(text[end]) & 0xC0) != 0x80;
            if (!boundary) continue;
            found = vocabulary.id(std::string_view(piece).substr(0, prefix + end - start));
            if (found >= 0) break;
        }
        if (found < 0) {
            ids.resize(before);
            ids.push_back(SpecialTokens::unk);
            return;
        }
        ids.push_back(found);
        start = end;
    }
}

// A stretch without special tokens.
void encode_plain(const Vocabulary& vocabulary, std::string_view text, std::vector<TokenId>& ids) {
    const CodePoints cleaned = clean(text);
    for (std::size_t at = 0; at < cleaned.size();) {
        std::size_t end = at;
        while (end < cleaned.size() && !is_python_space(cleaned[end])) ++end;
        // lower-cased by the word: its end is what makes a sigma final
        const CodePoints folded = fold(std::u32string_view(cleaned).substr(at, end - at));
        for (std::size_t start = 0; start < folded.size();) {
            std::size_t stop = start;
            while (stop < folded.size() && !is_punctuation(folded[stop]) && !is_python_space(folded[stop])) ++stop;
            if (stop > start) append_pieces(vocabulary, std::u32string_view(folded).substr(start, stop - start), ids);
            if (stop < folded.size() && is_punctuation(folded[stop])) {
                append_pieces(vocabulary, std::u32string_view(folded).substr(stop, 1), ids);
            }
            start = stop + 1;
        }
        at = end + 1;
    }
}

}    // namespace

std::string vocabulary_digest(std::string text) {
    std::erase(text, '\r');
    return digest_of(text);
}

Vocabulary Vocabulary::from_file(const std::filesystem::path& path) {
    return from_text(read_file(path), path.string());
}

Vocabulary Vocabulary::from_text(std::string_view content, const std::string& origin) {
    Vocabulary result;
    result.text_ = content;
    for_each_line(content, [&](std::int64_t, std::string_view word) { result.words_.emplace_back(word); });
    constexpr std::size_t bert_words = 30522;
    const std::string remedy = "use the vocab.txt of bert-base-uncased (data_prep/bert-base-uncased-vocab.txt)";
    if (result.words_.size() != bert_words) {
        throw Error(ExitCode::bad_data, "{}: {} words instead of {}; {}", origin, result.words_.size(), bert_words,
                    remedy);
    }
    result.words_.emplace_back("[DEC]");
    result.words_.emplace_back("[ENC]");
    result.ids_.reserve(result.words_.size());
    for (std::size_t i = 0; i < result.words_.size(); ++i) {
        const auto [known, is_new] = result.ids_.emplace(result.words_[i], static_cast<TokenId>(i));
        if (!is_new || result.words_[i].empty()) {
            throw Error(ExitCode::bad_data, "{}: line {}: the word '{}' is empty or was there before (line {}); {}",
                        origin, i + 1, result.words_[i], known->second + 1, remedy);
        }
    }
    for (const auto& [word, id] : special_words) {
        if (result.id(word) != id) {
            throw Error(ExitCode::bad_data, "{}: line {} is not {}; {}", origin, id + 1, word, remedy);
        }
    }
    return result;
}

const std::string& Vocabulary::word(TokenId id) const {
    if (id < 0 || static_cast<std::size_t>(id) >= words_.size()) {
        throw Error(ExitCode::bad_data, "token id {} is outside 0..{}", id, words_.size() - 1);
    }
    return words_[static_cast<std::size_t>(id)];
}

TokenId Vocabulary::id(std::string_view word) const {
    const auto found = ids_.find(word);
    return found == ids_.end() ? -1 : found->second;
}

std::vector<TokenId> WordPieceTokenizer::encode(std::string_view text, int max_tokens) const {
    require_utf8(text);
    if (max_tokens < 2) throw Error(ExitCode::internal, "WordPiece needs room for [CLS] and [SEP]");
    std::vector<TokenId> ids{SpecialTokens::cls};
    std::size_t plain = 0;    // start of the stretch that holds no special token
    for (std::size_t at = text.find('['); at != std::string_view::npos; at = text.find('[', at)) {
        const auto special = std::find_if(special_words.begin(), special_words.end(),
                                          [&](const auto& word) { return text.substr(at).starts_with(word.first); });
        if (special == special_words.end()) {
            ++at;
            continue;
        }
        encode_plain(vocabulary_, text.substr(plain, at - plain), ids);
        ids.push_back(special->second);
        at += special->first.size();
        plain = at;
    }
    encode_plain(vocabulary_, text.substr(plain), ids);
    if (ids.size() >= static_cast<std::size_t>(max_tokens)) ids.resize(static_cast<std::size_t>(max_tokens) - 1);
    ids.push_back(SpecialTokens::sep);
    return ids;
}

std::string WordPieceTokenizer::decode(const std::vector<TokenId>& ids) const {
    std::string text;
    for (const TokenId id : ids) {
        const std::string& word = vocabulary_.word(id);
        if (is_special(id)) continue;
        if (!text.empty()) text.push_back(' ');
        text += word;
    }
    boost::replace_all(text, " ##", "");
    for (const char* joined : {".", "?", "!", ","}) boost::replace_all(text, fmt::format(" {}", joined), joined);
    boost::replace_all(text, " ' ", "'");
    for (const char* joined : {"n't", "'m", "'s", "'ve", "'re"})
        boost::replace_all(text, fmt::format(" {}", joined), joined);
    return text;
}

}    // namespace blip
