// The scanner's rules for addresses: URLs, hosts, e-mail, names after @ and #, files. Called by PtbLexer::best_match.
#include <algorithm>

#include "src/metrics/ptb/lexer.h"

namespace blip {
namespace {

constexpr std::u32string_view never_last = U".!?,-{}";    // in a path or behind http://
constexpr int most_labels = 64;                           // of a host after www.: time stays linear
constexpr std::size_t shortest_path = 3;                  // "/ab"

}    // namespace

// Without the marks at the end that belong to the sentence.
std::size_t PtbLexer::trimmed(std::size_t begin, std::size_t end) const {
    while (end > begin && is_one_of(text_[end - 1], never_last)) --end;
    return end;
}

// End of the path whose slash is at i; i if there is none.
std::size_t PtbLexer::path_end(std::size_t i) const {
    if (at(i) != U'/') return i;
    const std::size_t end = trimmed(i, kind_end(i, char_path));
    return end >= i + shortest_path ? end : i;
}

PtbLexer::Match PtbLexer::url(std::size_t i) const {
    for (const std::u32string_view scheme : {U"http://", U"https://"}) {
        if (!starts_with(i, scheme)) continue;
        const std::size_t begin = i + scheme.size();
        const std::size_t end = trimmed(begin, kind_end(begin, char_url));
        if (end >= begin + 2) return whole(i, end);
    }
    return {};
}

// www., labels of almost anything, two to four letters, perhaps a path
PtbLexer::Match PtbLexer::www_host(std::size_t i) const {
    if (!starts_with(i, U"www.")) return {};
    std::size_t begin = i + 4, best = i;
    for (int labels = 0; labels < most_labels; ++labels) {
        const std::size_t stop = kind_end(begin, char_www);
        if (stop == begin || at(stop) != U'.') break;
        begin = stop + 1;
        std::size_t end = begin;
        while (end < begin + 4 && latin_at(end)) ++end;
        if (end >= begin + 2) best = std::max(best, path_end(end));
    }
    return whole(i, best);
}

// Labels of anything but digits, capitals and most marks, then com, net, org or edu, perhaps with a path.
PtbLexer::Match PtbLexer::host(std::size_t i) const {
    if (!is(i, char_label)) return {};
    Chain& chain = host_chain_;
    if (!chain.holds(i)) {
        chain = {i, kind_end(i, char_label), 0, 0};
        while (at(chain.end) == U'.') {
            const std::size_t begin = chain.end + 1;
            // (the last label may go on with anything: example.com5)
            for (const std::u32string_view domain : {U"com", U"net", U"org", U"edu"}) {
                if (starts_with(begin, domain)) chain.mark = begin, chain.best = begin + domain.size();
            }
            if (!is(begin, char_label)) break;
            chain.end = kind_end(begin, char_label);
        }
    }
    const std::size_t end = chain.end_from(i);
    return end > 0 ? whole(i, path_end(end)) : Match{};
}

// a.b@c.d, also in angle brackets. After the last @ that a label follows come labels with single periods.
PtbLexer::Match PtbLexer::email(std::size_t i) const {
    const std::size_t begin = at(i) == U'<' ? i + 1 : i;
    if (!latin_word_at(begin)) return {};
    Chain& chain = email_chain_;
    if (!chain.holds(begin)) {
        chain = {begin, kind_end(begin, char_email), 0, 0};
        std::size_t sign = chain.end;
        while (sign > begin && !(text_[sign - 1] == U'@' && is(sign, char_email) && at(sign) != U'.')) --sign;
        if (sign > begin) {
            chain.mark = chain.best = sign;
            while (is(chain.best, char_email) && (at(chain.best) != U'.' || at(chain.best + 1) != U'.')) ++chain.best;
            if (at(chain.best - 1) == U'.') --chain.best;
        }
    }
    const std::size_t end = chain.end_from(begin);
    return end > 0 ? whole(i, at(end) == U'>' ? end + 1 : end) : Match{};
}

// @name2, #tag: a name is ASCII and may hold digits, a tag has letters only
PtbLexer::Match PtbLexer::handle(std::size_t i) const {
    if (at(i) != U'@' && at(i) != U'#') return {};
    if (at(i) == U'#') return letter_at(i + 1) ? whole(i, letters_end(i + 1)) : Match{};
    if (!latin_at(i + 1) && at(i + 1) != U'_') return {};
    std::size_t end = i + 1;
    while (latin_word_at(end) || at(end) == U'_') ++end;
    return whole(i, end);
}

// 1.html, 5a.txt: words with single periods, the last one a known ending
PtbLexer::Match PtbLexer::file_name(std::size_t i) const {
    if (!word_at(i)) return {};
    Chain& chain = file_chain_;
    if (!chain.holds(i)) {
        chain = {i, words_end(i), 0, 0};
        while (at(chain.end) == U'.' && word_at(chain.end + 1)) {
            const std::size_t begin = chain.end + 1;
            chain.end = words_end(begin);
            const bool closed = chain.end >= text_.size() || space_at(chain.end) || is_one_of(at(chain.end), U".?!,");
            if (closed && is_file_ending(text_.substr(begin, chain.end - begin)))
                chain.mark = begin, chain.best = chain.end;
        }
    }
    const std::size_t end = chain.end_from(i);
    return end > 0 ? whole(i, end) : Match{};
}

}    // namespace blip
