// See coco_tokens.h.
#include "blip/metrics/coco_tokens.h"

#include <algorithm>

#include "blip/base/parallel_for.h"
#include "blip/metrics/ptb_tokenizer.h"

namespace blip {
namespace {

// The evaluation reads a caption a line: a line break inside one becomes a space.
Tokens tokens_of(std::string_view line, std::string_view next) {
    if (line.find('\n') == std::string_view::npos) return ptb_tokenize(line, next);
    std::string spaced(line);
    std::replace(spaced.begin(), spaced.end(), '\n', ' ');
    return ptb_tokenize(spaced, next);
}

}    // namespace

std::vector<Tokens> coco_tokens(std::span<const std::string_view> lines, std::string_view next, int threads) {
    std::vector<Tokens> tokens(lines.size());
    constexpr std::size_t run = 256;    // lines at a time, so that threads seldom meet
    const std::size_t runs = (lines.size() + run - 1) / run;
    parallel_for(static_cast<std::int64_t>(runs), threads, [&](std::int64_t index) {
        const std::size_t begin = static_cast<std::size_t>(index) * run;
        for (std::size_t i = begin; i < std::min(begin + run, lines.size()); ++i)
            tokens[i] = tokens_of(lines[i], i + 1 < lines.size() ? lines[i + 1] : next);
    });
    return tokens;
}

std::string join_tokens(const std::vector<Tokens>& lines) {
    std::string text;
    for (const Tokens& tokens : lines) {
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            if (i > 0) text += ' ';
            text += tokens[i];
        }
        text += '\n';
    }
    return text;
}

std::vector<Tokens> split_tokens(std::string_view text) {
    std::vector<Tokens> lines;
    while (!text.empty()) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        Tokens& tokens = lines.emplace_back();
        while (!line.empty()) {
            const std::string_view token = line.substr(0, line.find(' '));
            tokens.emplace_back(token);
            line.remove_prefix(std::min(token.size() + 1, line.size()));
        }
    }
    return lines;
}

}    // namespace blip
