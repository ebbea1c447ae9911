// Compiles METEOR's text tables into an index. Forms: english.words a word a line; english.synsets a word, then the
// numbers of its sets; english.exceptions a base form, then its inflections; paraphrase-en.gz (or a plain file of that
// name) a probability, a phrase and another one that means the same.

#include <zlib.h>

#include <algorithm>
#include <bit>
#include <unordered_map>

#include "blip/base/error.h"
#include "blip/base/number.h"
#include "src/metrics/meteor/index.h"

namespace blip {
namespace {

namespace fs = std::filesystem;

// Lines of a file that may be gzipped.
class Lines {
  public:
    explicit Lines(fs::path file) : file_(std::move(file)), stream_(gzopen(file_.c_str(), "rb")) {
        if (stream_ == nullptr)
            throw Error(ExitCode::missing_input,
                        "cannot open {}: METEOR's tables are fetched by env/setup.sh --with-meteor", file_.string());
        gzbuffer(stream_, 1 << 17);
    }
    Lines(const Lines&) = delete;
    ~Lines() { gzclose(stream_); }

    // The next line without its end, valid until the next call; false at the end.
    bool next(std::string_view& line) {
        ++number_;
        const char* const read = gzgets(stream_, buffer_.data(), static_cast<int>(buffer_.size()));
        line = read == nullptr ? std::string_view() : std::string_view(read);
        if (line.ends_with('\n')) {
            line.remove_suffix(1);
        } else {
            int code = Z_OK;
            gzerror(stream_, &code);
            if (code != Z_OK && code != Z_STREAM_END) bad("the gzip stream is damaged");
            if (gzeof(stream_) == 0) bad("a line of more than a megabyte, or with a zero byte in it");
        }
        if (line.ends_with('\r')) line.remove_suffix(1);
        return read != nullptr;
    }
    [[noreturn]] void bad(std::string_view why) const {
        throw Error(ExitCode::bad_data,
                    "{}, line {}: {}; env/setup.sh --with-meteor fetches the table anew "
                    "once this folder is removed",
                    file_.string(), number_, why);
    }

  private:
    fs::path file_;
    gzFile stream_;
    std::vector<char> buffer_ = std::vector<char>(1 << 20);    // of a line
    std::uint64_t number_ = 0;
};

template <class Call>
void each_word(std::string_view line, Call call) {
    for (std::size_t i = 0; i < line.size();) {
        const std::size_t end = std::min(line.find(' ', i), line.size());
        if (end > i) call(line.substr(i, end - i));
        i = end + 1;
    }
}

struct WordHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view word) const { return word_hash(word); }
};
struct KeyHash {
    std::size_t operator()(std::uint64_t key) const { return mix_hash(key); }
};

class Compiler {
  public:
    explicit Compiler(const fs::path& dir) {
        read_functions(dir / meteor_table_names[0]);
        read_sets(dir / meteor_table_names[1]);
        read_exceptions(dir / meteor_table_names[2]);
        read_paraphrases(dir / meteor_table_names[3]);
    }
    IndexImage image() {
        put_words();
        put_phrases();
        IndexImage image;
        for (const auto& part : parts_) image.push_back(static_cast<std::uint32_t>(part.size()));
        for (const auto& part : parts_) image.insert(image.end(), part.begin(), part.end());
        return image;
    }

  private:
    using Links = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

    std::vector<std::uint32_t>& part(Part which) { return parts_[static_cast<std::size_t>(which)]; }
    std::uint32_t word(std::string_view text) {
        if (const auto found = words_.find(text); found != words_.end()) return found->second;
        const auto number = static_cast<std::uint32_t>(words_.size());
        words_.emplace(text, number);
        return number;
    }
    std::uint32_t phrase(std::string_view line) {
        std::uint32_t at = 0;
        each_word(line, [&](std::string_view text) {
            const std::uint64_t key = std::uint64_t{at} << 32 | word(text);
            at = phrases_.try_emplace(key, static_cast<std::uint32_t>(phrases_.size() + 1)).first->second;
        });
        return at;
    }

    void read_functions(const fs::path& file) {
        Lines lines(file);
        for (std::string_view line; lines.next(line);)
            each_word(line, [&](std::string_view text) { functions_.push_back(word(text)); });
    }
    void read_sets(const fs::path& file) {
        Lines lines(file);
        std::string name;
        for (std::string_view line; lines.next(line);) {
            name = line;
            if (!lines.next(line)) lines.bad("a word without sets");
            const bool usable = name.find('_') == name.npos;    // captions have no words with "_"
            each_word(line, [&](std::string_view digits) {
                const auto set = number_in<std::uint32_t>(digits);
                if (!set) lines.bad("not the number of a set");
                if (usable) sets_.emplace_back(word(name), *set);
            });
        }
    }
    void read_exceptions(const fs::path& file) {
        Lines lines(file);
        std::string base;
        for (std::string_view line; lines.next(line);) {
            base = line;
            if (!lines.next(line)) lines.bad("a base form without inflections");
            each_word(line, [&](std::string_view inflection) { bases_.emplace_back(word(inflection), word(base)); });
        }
    }
    void read_paraphrases(const fs::path& file) {
        Lines lines(file);
        for (std::string_view line; lines.next(line);) {
            if (line.empty() || line.find_first_not_of("0123456789.eE-+") != line.npos) lines.bad("not a probability");
            if (!lines.next(line)) lines.bad("a probability without phrases");
            const std::uint32_t first = phrase(line);
            if (!lines.next(line)) lines.bad("a phrase without a second one");
            const std::uint32_t second = phrase(line);
            if (first == 0 || second == 0) lines.bad("an empty phrase");
            paraphrases_.emplace_back(first, second);
            paraphrases_.emplace_back(second, first);
        }
        if (paraphrases_.empty()) lines.bad("no paraphrases");
    }

    // links sorted by what they are of, as begins and values
    void put_links(Links& links, std::size_t owners, Part begins, Part values) {
        std::sort(links.begin(), links.end());
        std::vector<std::uint32_t>& at = part(begins);
        at.assign(owners + 1, 0);
        for (const auto& link : links) ++at[link.first + 1];
        for (std::size_t i = 0; i < owners; ++i) at[i + 1] += at[i];
        for (const auto& link : links) part(values).push_back(link.second);
        links = {};
    }
    void put_words() {
        std::vector<std::string_view> texts(words_.size());
        for (const auto& [text, number] : words_) texts[number] = text;
        std::string all;
        for (const std::string_view text : texts) {
            part(Part::word_begins).push_back(static_cast<std::uint32_t>(all.size()));
            all += text;
        }
        part(Part::word_begins).push_back(static_cast<std::uint32_t>(all.size()));
        part(Part::text).resize((all.size() + 3) / 4);
        std::copy(all.begin(), all.end(), reinterpret_cast<char*>(part(Part::text).data()));
        std::vector<std::uint32_t>& slots = part(Part::word_slots);
        slots.assign(std::bit_ceil(texts.size() * 2 + 1), 0);
        for (std::size_t i = 0; i < texts.size(); ++i) {
            std::size_t at = word_hash(texts[i]) & (slots.size() - 1);
            while (slots[at] != 0) at = (at + 1) & (slots.size() - 1);
            slots[at] = static_cast<std::uint32_t>(i + 1);
        }
        part(Part::functions).assign(texts.size(), 0);
        for (const std::uint32_t function : functions_) part(Part::functions)[function] = 1;
        put_links(sets_, texts.size(), Part::set_begins, Part::sets);
        put_links(bases_, texts.size(), Part::base_begins, Part::bases);
    }
    void put_phrases() {
        const std::size_t count = std::bit_ceil(phrases_.size() * 3 / 2 + 1);
        std::vector<std::uint32_t>& slots = part(Part::phrase_slots);
        slots.assign(3 * count, 0);
        for (const auto& [key, number] : phrases_) {
            std::size_t at = mix_hash(key) & (count - 1);
            while (slots[3 * at + 2] != 0) at = (at + 1) & (count - 1);
            slots[3 * at] = static_cast<std::uint32_t>(key >> 32);
            slots[3 * at + 1] = static_cast<std::uint32_t>(key);
            slots[3 * at + 2] = number;
        }
        put_links(paraphrases_, phrases_.size() + 1, Part::paraphrase_begins, Part::paraphrases);
    }

    std::unordered_map<std::string, std::uint32_t, WordHash, std::equal_to<>> words_;
    std::unordered_map<std::uint64_t, std::uint32_t, KeyHash> phrases_;    // parent and word -> number from 1
    std::vector<std::uint32_t> functions_;
    Links sets_, bases_, paraphrases_;
    std::vector<std::uint32_t> parts_[part_count];
};

}    // namespace

IndexImage compile_meteor_tables(const fs::path& dir) { return Compiler(dir).image(); }

}    // namespace blip
