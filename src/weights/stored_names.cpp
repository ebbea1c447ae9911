// See stored_names.h.
#include "src/weights/stored_names.h"

#include <algorithm>
#include <iterator>

#include "blip/base/error.h"
#include "blip/text/wordpiece.h"
#include "blip/weights/names.h"

namespace blip {
std::vector<std::string> stored_names(const WeightFile& file, const std::string& reference) {
    std::vector<std::string> candidates = {reference};
    for (const TiedPair& pair : kTied)
        if (pair.ours == reference) candidates.emplace_back(pair.twin);
    for (std::size_t i = 0, count = candidates.size(); i < count; ++i) {
        const auto other = huggingface_name(candidates[i]);
        if (other && *other != candidates[i]) candidates.push_back(*other);
    }
    std::erase_if(candidates, [&](const std::string& name) { return !file.tensors().contains(name); });
    return candidates;
}

bool is_harmless_extra(const std::string& name) {
    return name.ends_with(".position_ids") || name == "logit_scale" ||
           std::any_of(std::begin(kTied), std::end(kTied), [&](const TiedPair& pair) { return pair.twin == name; });
}

void refuse_vocabulary(const WeightFile& file, std::int64_t rows) {
    const char* what = "a model with another tokenizer, whose captions the tokenizer here can neither read nor write";
    if (rows == vocabulary_size - 2) what = "plain BERT, without the tokens [DEC] and [ENC] that BLIP adds";
    if (rows == vocabulary_size - 1) what = "BERT with one token more, where BLIP adds the two tokens [DEC] and [ENC]";
    throw Error(ExitCode::bad_data,
                "{}: its vocabulary has {} words, and {} are needed: this is {}. Give the weights of a BLIP "
                "captioner",
                file.path().string(), rows, vocabulary_size, what);
}

}    // namespace blip
