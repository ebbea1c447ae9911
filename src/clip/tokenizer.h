// CLIP's tokens: byte-level pairs (Sennrich et al. 2016; bytes as GPT-2 writes them) of lower-case words, from the
// vocab.json and merges.txt of a model in Hugging Face's form. The same ids as transformers' CLIPTokenizerFast, but for
// a caption that spells out "<|startoftext|>" or "<|endoftext|>", which are words here. Internal to clip.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace blip {

class ClipTokenizer {
  public:
    // words: ids are below it. Errors: missing_input; bad_data naming file and entry.
    ClipTokenizer(const std::filesystem::path& folder, std::int64_t words);

    // The start token, those of the text, the end token: at most `longest` (two or more), the text's last ones are left
    // out. text: valid UTF-8. Remembers words, and so is for one thread at a time.
    std::vector<std::int64_t> encode(std::string_view text, std::size_t longest);
    std::int64_t end_token() const { return end_; }

  private:
    struct Merge {
        std::size_t rank;    // less: done first
        std::int64_t merged;
    };
    void read_merges(const std::filesystem::path& file);
    std::int64_t id_of(const std::string& token) const;
    const std::vector<std::int64_t>& ids_of_piece(const std::string& piece);

    std::string vocabulary_file_;
    std::unordered_map<std::string, std::int64_t> ids_;
    std::unordered_map<std::uint64_t, Merge> merges_;    // by both ids
    std::int64_t start_ = 0, end_ = 0;
    std::vector<std::int64_t> bytes_, last_bytes_;    // by byte; the second: at the end of a word
    std::unordered_map<std::string, std::vector<std::int64_t>> known_;
};

}    // namespace blip
