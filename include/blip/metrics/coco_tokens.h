// Tokens of many captions as the COCO evaluation makes them: all are one text, a caption a line. Called by coco_eval,
// by document_frequencies, and by tasks/caption/evaluator, which deals a text's lines to the ranks.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "blip/metrics/caption_scores.h"

namespace blip {

// Of lines begin to end - 1 of a text in turn: where one of them ends may depend on the first word after it, whatever
// blank lines lie between. threads: at least 1; the tokens do not depend on it.
std::vector<Tokens> coco_tokens(std::span<const std::string_view> text, std::size_t begin, std::size_t end,
                                int threads);
// Of all lines.
inline std::vector<Tokens> coco_tokens(std::span<const std::string_view> text, int threads) {
    return coco_tokens(text, 0, text.size(), threads);
}

// references[i]: lines about image i; all are one text. By image, in their order.
std::vector<std::vector<Tokens>> coco_tokens(const std::vector<std::vector<std::string_view>>& references, int threads);

// As one text, to be sent between ranks and read again; tokens hold neither spaces nor line ends.
std::string join_tokens(const std::vector<Tokens>& lines);
std::vector<Tokens> split_tokens(std::string_view text);

}    // namespace blip
