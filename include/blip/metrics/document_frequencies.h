// In how many images of a collection each n-gram of CIDEr occurs, and the file that carries it from one collection to
// the scores of another. Made and read by the verb score, read by evaluate and train.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace blip {

struct DocumentFrequencies {
    std::int64_t documents = 0;    // images
    // n-grams of 1 to 4 words (PTB tokens in lower case, single spaces between them) and the images that have one in a
    // reference: 1 to `documents`. Ordered, each once.
    std::vector<std::pair<std::string, std::int64_t>> counts;
    bool end_token = false;    // captions were counted as CaptionReward does: `end_word` is their last word
    std::string split{};       // that the images are of, where it is known
};

// The end token as a word. The PTB tokenizer never gives it: it sets brackets apart.
inline constexpr const char* end_word = "[SEP]";

// Of collections of references: references[i] are image i's captions, as people wrote them. threads: that tokenise.
DocumentFrequencies document_frequencies(const std::vector<std::vector<std::string_view>>& references, int threads);

// JSON: {"documents": 5000, "df": {"a": 4821, "a dog": 190, ...}}, written durably, one n-gram a line. Before "df"
// there may be "end_token": "[SEP]" and "split": "train". Reading throws missing_input, io; bad_data naming file and
// place: malformed JSON, another form, an n-gram twice or of no or more than 4 words, a count below 1 or above the
// documents, another end token. The file "coco-val2014", where there is none of this name, stands for those of COCO's
// 40,504 validation images of 2014, which are kept beside METEOR's tables once someone has made them of COCO's
// annotations; nothing here contains these. Writing returns the file; usage if "coco-val2014" would be of another
// number of images.
std::filesystem::path write_document_frequencies(const std::filesystem::path& file,
                                                 const DocumentFrequencies& frequencies);
DocumentFrequencies read_document_frequencies(const std::filesystem::path& file);

}    // namespace blip
