// Which prompt each picture's captions begin with: one for all, and those of a file (--prompts) for single pictures.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "blip/options/options.h"
#include "blip/text/wordpiece.h"

namespace blip {

class PicturePrompts {
  public:
    // Of generate.prompt and, if that is set, the file generate.prompts: a JSON object, picture -> prompt. Every prompt
    // must leave room for a token within max_length. Errors name the file and the key: missing_input, bad_data (no JSON
    // object of strings, a key twice, a prompt that --prompt would not take), usage (a prompt too long).
    PicturePrompts(const GenerateOptions& generate, const WordPieceTokenizer& tokenizer);
    // The same prompt for all pictures, unchecked.
    explicit PicturePrompts(std::string common) : common_(std::move(common)) {}

    // The picture's own prompt, by the first of its names that has one, else the common one.
    const std::string& of(const std::vector<std::string>& names) const;
    // The file's prompts; empty without a file.
    const std::map<std::string, std::string>& own() const { return own_; }
    // "2 of the 5 pictures in FILE are not among those to caption: 'a', 'b'", at most five by name; empty if none.
    std::string describe_unknown(const std::vector<std::string>& unknown) const;

  private:
    std::string common_, file_;
    std::map<std::string, std::string> own_;
};

}    // namespace blip
