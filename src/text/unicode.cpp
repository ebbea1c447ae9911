// Unicode helpers on top of ICU.
#include "blip/text/unicode.h"

#include <fmt/format.h>
#include <unicode/bytestream.h>
#include <unicode/casemap.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>

#include <algorithm>

#include "blip/base/error.h"
#include "blip/text/caption_text.h"

namespace blip {

namespace {

// Came after Unicode 14.0.
bool is_later(char32_t c) {
    UVersionInfo version{};
    u_charAge(static_cast<UChar32>(c), version);
    return version[0] > 14;
}

}    // namespace

std::size_t find_invalid_utf8(std::string_view text) {
    const char* const bytes = text.data();
    const auto length = static_cast<std::int64_t>(text.size());
    for (std::int64_t at = 0; at < length;) {
        const std::int64_t start = at;
        UChar32 c = 0;
        U8_NEXT(bytes, at, length, c);
        if (c < 0) return static_cast<std::size_t>(start);
    }
    return std::string_view::npos;
}

bool is_utf16(std::string_view text) {
    const std::string_view start = text.substr(0, 2);
    // one of two bytes of a Latin letter is zero
    return start == "\xFF\xFE" || start == "\xFE\xFF" || (start.size() == 2 && (start[0] == 0) != (start[1] == 0));
}

std::string line_and_column(std::string_view text, std::size_t offset) {
    const std::string_view before = text.substr(0, offset);
    const std::size_t line_start = before.rfind('\n') + 1;    // npos + 1 is 0
    return fmt::format("line {}, column {}", std::count(before.begin(), before.end(), '\n') + 1,
                       before.size() - line_start + 1);
}

std::string describe_encoding(std::string_view text) {
    if (is_utf16(text)) return "is UTF-16: save it as UTF-8, or change it by 'iconv -f UTF-16 -t UTF-8 OLD >NEW'";
    const std::size_t bad = find_invalid_utf8(text);
    if (bad == std::string_view::npos) return "";
    return fmt::format(
        "{}: byte 0x{:02x} is not UTF-8; it may be Latin-1 or Windows-1252: save the file as UTF-8, or change it by "
        "'iconv -f WINDOWS-1252 -t UTF-8 OLD >NEW'",
        line_and_column(text, bad), static_cast<unsigned char>(text[bad]));
}

void require_utf8(std::string_view text) {
    const std::size_t at = find_invalid_utf8(text);
    if (at == std::string_view::npos) return;
    throw Error(ExitCode::bad_data, "invalid UTF-8 at byte {} (0x{:02x}); save the file as UTF-8", at,
                static_cast<unsigned char>(text[at]));
}

CodePoints to_code_points(std::string_view text) {
    CodePoints result;
    result.reserve(text.size());
    const char* const bytes = text.data();
    const auto length = static_cast<std::int64_t>(text.size());
    for (std::int64_t at = 0; at < length;) {
        UChar32 c = 0;
        U8_NEXT_OR_FFFD(bytes, at, length, c);
        result.push_back(static_cast<char32_t>(c));
    }
    return result;
}

void append_utf8(char32_t c, std::string& text) {
    char bytes[U8_MAX_LENGTH];
    std::size_t length = 0;
    U8_APPEND_UNSAFE(bytes, length, c);
    text.append(bytes, length);
}

std::string to_utf8(std::u32string_view text) {
    std::string result;
    result.reserve(text.size());
    for (const char32_t c : text) append_utf8(c, result);
    return result;
}

bool is_python_space(char32_t c) {
    if (c < 0x80) return c == ' ' || (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x1f);
    return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
           c == 0x202f || c == 0x205f || c == 0x3000;
}

std::uint32_t category_mask(char32_t c) {
    if (is_later(c)) return U_GC_CN_MASK;
    // the one earlier character (of Ahom) whose category later versions changed to one that tokens depend on
    return c == 0x1171E ? U_GC_MN_MASK : U_GET_GC_MASK(static_cast<UChar32>(c));
}

bool is_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string lower_case(std::string_view text) {
    std::string result;
    if (is_ascii(text)) {
        result.reserve(text.size());
        for (const char c : text) result.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c);
        return result;
    }
    // A later character stays, and is no letter beside which a sigma is not final: a noncharacter stands for it.
    constexpr char32_t stand_in = 0xFFFF;
    CodePoints points = to_code_points(text), later;
    for (char32_t& c : points) {
        if (c != stand_in && !is_later(c)) continue;
        later.push_back(c);
        c = stand_in;
    }
    const std::string known = to_utf8(points);
    UErrorCode status = U_ZERO_ERROR;
    icu::StringByteSink<std::string> sink(&result, static_cast<std::int32_t>(known.size()));
    icu::CaseMap::utf8ToLower("", 0, known, sink, nullptr, status);
    if (U_FAILURE(status)) {
        throw Error(ExitCode::internal, "lower-casing failed: {}", u_errorName(status));
    }
    if (later.empty()) return result;
    points = to_code_points(result);
    auto next = later.begin();
    for (char32_t& c : points)
        if (c == stand_in) c = *next++;
    return to_utf8(points);
}

std::string canonical(std::string_view text, bool composed) {
    UErrorCode status = U_ZERO_ERROR;
    const icu::Normalizer2* form =
        composed ? icu::Normalizer2::getNFCInstance(status) : icu::Normalizer2::getNFDInstance(status);
    std::string result;
    if (U_SUCCESS(status))
        form->normalize(icu::UnicodeString::fromUTF8({text.data(), static_cast<std::int32_t>(text.size())}), status)
            .toUTF8String(result);
    if (U_FAILURE(status)) throw Error(ExitCode::internal, "Unicode normalisation failed: {}", u_errorName(status));
    return result;
}

CodePoints fold(std::u32string_view word) {
    const std::string lower = lower_case(to_utf8(word));
    if (is_ascii(lower)) return to_code_points(lower);
    CodePoints result = to_code_points(canonical(lower, /*composed=*/false));
    std::erase_if(result, [](char32_t c) { return category_mask(c) == U_GC_MN_MASK; });
    return result;
}

}    // namespace blip
