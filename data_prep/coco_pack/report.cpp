// See the header.
#include "data_prep/coco_pack/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string_view>

#include "blip/base/error.h"
#include "blip/base/printable.h"
#include "blip/data/packed/check.h"
#include "blip/data/packed/format.h"
#include "blip/text/caption_text.h"
#include "data_prep/coco_pack/progress.h"

namespace blip {

namespace {

constexpr std::size_t most_skipped_shown = 20;
constexpr double most_unknown = 0.05;    // of the tokens, in captions that fit the word list
constexpr std::size_t most_long_shown = 10;
constexpr std::int64_t samples_shown = 3;

// Of a word that is spelled out, or in another script.
bool is_lone_letter(std::string_view word) {
    const bool is_piece = word.starts_with("##");
    if (is_piece) word.remove_prefix(2);
    const auto characters = std::count_if(word.begin(), word.end(), [](char byte) { return (byte & 0xC0) != 0x80; });
    return characters == 1 && (is_piece || word.size() > 1);
}

// A caption as it is trained, but for the cut at 40 tokens; fit for a terminal.
std::string clean_caption(const SplitTables& split, std::int64_t caption_row) {
    try {
        return printable_line(pre_caption(split.text(caption_row)));
    } catch (const Error&) {    // no UTF-8: the file is damaged
        return printable_line(split.text(caption_row));
    }
}

void print_samples(const SplitTables& split) {
    const std::int64_t count = std::min(split.image_count(), samples_shown);
    for (std::int64_t n = 0; n < count; ++n) {
        const std::int64_t row = n * split.image_count() / count;
        fmt::print("  {}\n", printable_line(name_image(split, row)));
        const auto [first, last] = caption_rows(split, row);
        for (std::int64_t c = first; c < last; ++c) fmt::print("    {}\n", clean_caption(split, c));
    }
}

}    // namespace

void print_split(const SplitTables& split) {
    const auto [min_height, max_height] = std::minmax_element(split.heights_I.begin(), split.heights_I.end());
    const auto [min_width, max_width] = std::minmax_element(split.widths_I.begin(), split.widths_I.end());
    const auto longest = std::max_element(split.lengths_C.begin(), split.lengths_C.end());
    const double tokens = std::accumulate(split.lengths_C.begin(), split.lengths_C.end(), 0.0);
    const std::string stored =
        split.jpeg_lengths_I.empty() ? "" : fmt::format(" in {} of files", human_bytes(split.stored_bytes));
    fmt::print("{}: {}, {}, {} of pixels{}\n", split.name, counted(split.image_count(), "image"),
               counted(split.caption_count(), "caption"), human_bytes(split.pixel_bytes), stored);
    if (split.image_count() == 0 || split.caption_count() == 0) return;
    fmt::print("  sizes {}x{} to {}x{}, {:.1f} tokens a caption, at most {}\n", *min_width, *min_height, *max_width,
               *max_height, tokens / static_cast<double>(split.caption_count()), *longest);
    for (const auto& [name, count] : split.notes) {
        if (count == 0) continue;
        const auto known = std::find_if(source_decisions.begin(), source_decisions.end(),
                                        [&](const auto& decision) { return decision.first == name; });
        fmt::print("  {} {} ({})\n", count, known == source_decisions.end() ? "" : known->second, printable_line(name));
    }
}

void print_info(const std::filesystem::path& path) {
    const PackedDataset data = PackedDataset::open_for_check(path);
    const std::string& words = data.vocabulary_text();
    fmt::print("{}: format version {}, encoding {}, {}\n", path.string(), data.format_version(),
               encoding_name(data.encoding()), human_bytes(std::filesystem::file_size(path)));
    fmt::print("data digest {}{}\n", data.data_digest(),
               data.data_digest_matches() ? "" : " DOES NOT MATCH the tables: run --check");
    fmt::print("packed from: {}\n", printable_line(data.source()));
    fmt::print("prompt '{}' ({} tokens with [DEC]), vocabulary of {} words\n", printable_line(data.prompt()),
               data.prompt_length(),
               std::count(words.begin(), words.end(), '\n') + (!words.empty() && words.back() != '\n'));
    for (const auto& split : data.splits()) {
        print_split(split);
        print_samples(split);
        for (std::size_t i = 0; i < std::min(split.skipped.size(), most_skipped_shown); ++i)
            fmt::print("    skipped image {}: {}: {}\n", printable_line(split.skipped[i].id.text),
                       printable_line(split.skipped[i].file), printable_line(split.skipped[i].reason));
        if (split.skipped.size() > most_skipped_shown)
            fmt::print("    and {} more in the file's dataset {}/skipped\n", split.skipped.size() - most_skipped_shown,
                       split.name);
    }
}

void print_rows(const std::filesystem::path& path) {
    const PackedDataset data = PackedDataset::open(path);
    for (const auto& split : data.splits()) {
        std::int64_t caption = 0;
        for (std::int64_t row = 0; row < split.image_count(); ++row) {
            const auto i = static_cast<std::size_t>(row);
            nlohmann::ordered_json line = {{"split", split.name}};
            line["image_id"] = split.keys_I[i].to_json();
            line["file_name"] = split.files_I[i];
            line["captions"] = nlohmann::json::array();
            for (; caption < split.caption_count() && split.image_index_C[static_cast<std::size_t>(caption)] == row;
                 ++caption)
                line["captions"].push_back(split.text(caption));
            fmt::print("{}\n", line.dump());
        }
    }
}

void count_cut_captions(SplitTables& split, const WordPieceTokenizer& tokenizer, const std::string& prompt,
                        LongCaptions& captions) {
    constexpr int all = std::numeric_limits<int>::max();
    std::int64_t cut = 0;
    for (std::int64_t c = 0; c < split.caption_count(); ++c) {
        const std::string_view text = split.text(c);
        const bool many_words = std::count(text.begin(), text.end(), ' ') >= default_max_words &&
                                pre_caption(text) != pre_caption(text, all);
        int tokens = split.lengths_C[static_cast<std::size_t>(c)];
        if (many_words || tokens == max_caption_tokens)    // as it would be whole
            tokens = static_cast<int>(tokenizer.encode(prompt + pre_caption(text, all), all).size());
        cut += many_words || tokens > max_caption_tokens;
        captions.cut += tokens > max_caption_tokens;
        auto& longest = captions.longest;
        if (longest.size() == most_long_shown && tokens <= longest.back().first) continue;
        const auto after =
            std::find_if(longest.begin(), longest.end(), [&](const auto& one) { return one.first < tokens; });
        const std::int64_t row = split.image_index_C[static_cast<std::size_t>(c)];
        longest.insert(after, {tokens, fmt::format("{} {}: {}", split.name, printable_line(name_image(split, row)),
                                                   printable(text))});
        longest.resize(std::min(longest.size(), most_long_shown));
    }
    for (auto& [name, count] : split.notes)
        if (name == "cut_captions") count = cut;
}

void print_long_captions(const LongCaptions& captions) {
    fmt::print("{} {} more than {} tokens, which are all that is trained; the longest:\n",
               counted(captions.cut, "caption"), captions.cut == 1 ? "has" : "have", max_caption_tokens);
    for (const auto& [tokens, caption] : captions.longest) fmt::print("  {} tokens, {}\n", tokens, caption);
}

void print_unknown_words(const std::vector<SplitTables>& splits, int prompt_length, const Vocabulary& vocabulary) {
    std::vector<std::int64_t> counts(vocabulary_size);    // of each word
    for (const SplitTables& split : splits)
        for (std::int64_t c = 0; c < split.caption_count(); ++c) {
            // between prompt and [SEP]
            const std::uint16_t *first = split.tokens(c) + prompt_length,
                                *last = split.tokens(c) + split.lengths_C[static_cast<std::size_t>(c)] - 1;
            for (const auto* token = first; token < last; ++token) ++counts.at(*token);
        }
    const double tokens = std::max(1.0, std::accumulate(counts.begin(), counts.end(), 0.0));
    std::int64_t letters = 0;
    for (TokenId id = 0; id < vocabulary_size; ++id)
        if (is_lone_letter(vocabulary.word(id))) letters += counts[static_cast<std::size_t>(id)];
    const double unknown = static_cast<double>(counts[SpecialTokens::unk]) / tokens,
                 lone = static_cast<double>(letters) / tokens;
    fmt::print("{:.1f} % of the captions' tokens are [UNK], {:.1f} % letters of words that it has not\n", 100 * unknown,
               100 * lone);
    if (unknown + lone > most_unknown)
        fmt::print(
            "warning: the word list has no words for these captions, which is more than {:.0f} %: it is one of "
            "English\n",
            100 * most_unknown);
}

void run_check(const std::filesystem::path& path, int threads) {
    PackedCheck result;
    std::string rate;
    {
        std::unique_ptr<Progress> progress;
        result = check_packed_file(path, threads, [&](std::int64_t done, std::int64_t total) {
            if (!progress) progress = std::make_unique<Progress>("checking", total);
            progress->update(done);
        });
        if (progress) rate = progress->finish();
    }
    if (result.damaged != 0) {
        std::string message =
            fmt::format("{} of {} elements are damaged:\n", result.damaged, result.images + result.captions);
        for (const auto& line : result.messages) message += "  " + line + "\n";
        if (result.damaged > static_cast<std::int64_t>(result.messages.size()))
            message +=
                fmt::format("  and {} more\n", result.damaged - static_cast<std::int64_t>(result.messages.size()));
        throw Error(ExitCode::bad_data, message + "  pack the file again");
    }
    fmt::print("{}: {} and {} match their digests ({})\n", path.string(), counted(result.images, "image"),
               counted(result.captions, "caption"), rate);
}

}    // namespace blip
