// See coco_tokens.h.
#include "blip/metrics/coco_tokens.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <iterator>

#include "blip/base/parallel_for.h"
#include "blip/metrics/ptb_tokenizer.h"
#include "src/metrics/ptb/lexer.h"

namespace blip {
namespace {

// The evaluation reads a caption a line: a line break inside one becomes a space.
Tokens tokens_of(std::string_view line, std::string_view next) {
    if (line.find('\n') == std::string_view::npos) return ptb_tokenize(line, next);
    std::string spaced(line);
    std::replace(spaced.begin(), spaced.end(), '\n', ' ');
    return ptb_tokenize(spaced, next);
}

// Without the white space before it; empty for a blank line.
std::string_view from_first_word(std::string_view line) {
    for (std::size_t at = 0; at < line.size();) {
        const auto size = static_cast<std::int32_t>(std::min<std::size_t>(line.size() - at, U8_MAX_LENGTH));
        std::int32_t length = 0;
        UChar32 c = 0;
        U8_NEXT_OR_FFFD(line.data() + at, length, size, c);
        if (!is_space(static_cast<char32_t>(c))) return line.substr(at);
        at += static_cast<std::size_t>(length);
    }
    return {};
}

}    // namespace

std::vector<Tokens> coco_tokens(std::span<const std::string_view> text, std::size_t begin, std::size_t end,
                                int threads) {
    std::vector<Tokens> tokens(end - begin);
    // of each line what follows it: the next line that is not blank, from its first word on
    std::vector<std::string_view> following(end - begin);
    std::string_view next;
    for (std::size_t i = end; next.empty() && i < text.size(); ++i) next = from_first_word(text[i]);
    for (std::size_t i = end; i-- > begin;) {
        following[i - begin] = next;
        if (const std::string_view own = from_first_word(text[i]); !own.empty()) next = own;
    }
    constexpr std::size_t run = 256;    // lines at a time, so that threads seldom meet
    const std::size_t runs = (tokens.size() + run - 1) / run;
    parallel_for(static_cast<std::int64_t>(runs), threads, [&](std::int64_t index) {
        const std::size_t first = static_cast<std::size_t>(index) * run;
        for (std::size_t i = first; i < std::min(first + run, tokens.size()); ++i)
            tokens[i] = tokens_of(text[begin + i], following[i]);
    });
    return tokens;
}

std::vector<std::vector<Tokens>> coco_tokens(const std::vector<std::vector<std::string_view>>& references,
                                             int threads) {
    std::vector<std::string_view> lines;
    for (const auto& of_image : references) lines.insert(lines.end(), of_image.begin(), of_image.end());
    std::vector<Tokens> flat = coco_tokens(lines, threads);
    std::vector<std::vector<Tokens>> tokens;
    auto next = std::make_move_iterator(flat.begin());
    for (const auto& of_image : references) {
        const auto end = next + static_cast<std::ptrdiff_t>(of_image.size());
        tokens.emplace_back(next, end);
        next = end;
    }
    return tokens;
}

std::string join_tokens(const std::vector<Tokens>& lines) {
    std::string text;
    for (const Tokens& tokens : lines) text += fmt::format("{}\n", fmt::join(tokens, " "));
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
