// Tokens of many captions as the COCO evaluation makes them: all are one text, a caption a line. Called by coco_eval,
// by document_frequencies, and by eval/evaluator, which deals a text's lines to the ranks.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "blip/metrics/caption_scores.h"

namespace blip {

// Of each line in turn. next: the line after the last one, empty at the text's end: a line's first word may decide
// where the one before it ends. threads: at least 1; the tokens do not depend on it.
std::vector<Tokens> coco_tokens(std::span<const std::string_view> lines, std::string_view next, int threads);

// As one text, to be sent between ranks and read again; tokens hold neither spaces nor line ends.
std::string join_tokens(const std::vector<Tokens>& lines);
std::vector<Tokens> split_tokens(std::string_view text);

}    // namespace blip
