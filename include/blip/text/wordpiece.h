// BERT-base-uncased WordPiece, exactly as the reference tokenizer behaves (golden: wordpiece.json.gz).
// Used by coco_pack (captions -> ids), the evaluator and the caption verb (ids -> text).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace blip {

using TokenId = std::int32_t;

// Ids that the model relies on. [DEC] and [ENC] follow the 30,522 words of the BERT vocabulary.
struct SpecialTokens {
    static constexpr TokenId pad = 0, unk = 100, cls = 101, sep = 102, mask = 103, dec = 30522, enc = 30523;
};
inline constexpr int vocabulary_size = 30524;    // with [DEC] and [ENC]
inline constexpr int max_caption_tokens = 40;    // [DEC]/[CLS] and [SEP] included

// xxh3-64 of a word list's text, whatever ends its lines. Weights note it, so that no other list is read with them.
std::string vocabulary_digest(std::string text);

// The word list, one word a line, id = line number; must hold exactly 30,522 words with the special ones in place.
class Vocabulary {
  public:
    static Vocabulary from_file(const std::filesystem::path& path);
    // content: the file's text; origin: named in errors
    static Vocabulary from_text(std::string_view content, const std::string& origin);
    // move-only: the index points into the words
    Vocabulary(Vocabulary&&) = default;
    Vocabulary& operator=(Vocabulary&&) = default;

    // the word of an id ("[DEC]" for 30522, ...); throws for ids outside 0..30523
    const std::string& word(TokenId id) const;
    // id of a word, -1 if absent
    TokenId id(std::string_view word) const;
    // the text it was read from, for embedding in a packed file
    const std::string& text() const { return text_; }

  private:
    Vocabulary() = default;

    std::string text_;
    std::vector<std::string> words_;
    std::unordered_map<std::string_view, TokenId> ids_;    // views into words_
};

class WordPieceTokenizer {
  public:
    // vocabulary must outlive the tokenizer
    explicit WordPieceTokenizer(const Vocabulary& vocabulary) : vocabulary_(vocabulary) {}

    // [CLS] ... [SEP], at most max_tokens, truncated as the reference does. text: valid UTF-8 (throws bad_data
    // otherwise).
    std::vector<TokenId> encode(std::string_view text, int max_tokens = max_caption_tokens) const;
    // Special ids dropped, pieces joined, then the clean-up rules of the reference (before the prompt is cut off).
    std::string decode(const std::vector<TokenId>& ids) const;

    const Vocabulary& vocabulary() const { return vocabulary_; }

  private:
    const Vocabulary& vocabulary_;
};

}    // namespace blip
