// See document_frequencies.h.
#include "blip/metrics/document_frequencies.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/fetched_folder.h"
#include "blip/metrics/coco_tokens.h"
#include "src/metrics/counted_captions.h"

namespace blip {
namespace {

namespace fs = std::filesystem;

constexpr const char* how_to_make = "blip_mpi score --write-cider-df makes such files";

// Straight into the list: a collection has millions of n-grams, and as a JSON value each would take ten times its text.
class FrequencyReader : public nlohmann::json_sax<nlohmann::json> {
  public:
    explicit FrequencyReader(DocumentFrequencies& result) : result_(result) {}

    bool null() override { return wrong(); }
    bool boolean(bool) override { return wrong(); }
    bool number_integer(number_integer_t) override { return wrong(); }    // below 0
    bool number_unsigned(number_unsigned_t value) override {
        if (value < 1 || value > INT64_MAX) return wrong();
        const auto count = static_cast<std::int64_t>(value);
        if (depth_ == 2)
            result_.counts.emplace_back(std::move(key_), count);
        else if (depth_ == 1 && key_ == "documents")
            result_.documents = count;
        else
            return wrong();
        return true;
    }
    bool number_float(number_float_t, const string_t&) override { return wrong(); }
    bool string(string_t& value) override {
        if (depth_ == 1 && key_ == "split") {
            result_.split = std::move(value);
        } else if (depth_ == 1 && key_ == "end_token" && value == end_word) {
            result_.end_token = true;
        } else if (depth_ == 1 && key_ == "end_token") {
            problem = fmt::format("the end token is '{}', of another tokenizer: it should be {}", value, end_word);
            return false;
        } else {
            return wrong();
        }
        return true;
    }
    bool binary(binary_t&) override { return wrong(); }
    bool start_object(std::size_t) override {
        if (depth_ == 2 || (depth_ == 1 && (key_ != "df" || seen_df_))) return wrong();
        seen_df_ = depth_++ == 1;
        return true;
    }
    bool end_object() override {
        --depth_;
        key_.clear();
        return true;
    }
    bool start_array(std::size_t) override { return wrong(); }
    bool end_array() override { return true; }
    bool key(string_t& name) override {
        key_ = std::move(name);
        const auto members = {"documents", "df", "end_token", "split"};
        if (depth_ != 1 || std::find(members.begin(), members.end(), key_) != members.end()) return true;
        problem = fmt::format("'{}': is not expected here", key_);
        return false;
    }
    bool parse_error(std::size_t byte, const std::string&, const nlohmann::detail::exception&) override {
        problem = fmt::format("malformed JSON at byte {}", byte);
        return false;
    }
    bool complete() const { return seen_df_ && result_.documents > 0; }

    std::string problem;

  private:
    bool wrong() {
        problem = key_.empty() && depth_ < 2 ? std::string("the whole file: is not {\"documents\": N, \"df\": {...}}")
                                             : fmt::format("'{}': is no count of images from 1 up", key_);
        return false;
    }

    DocumentFrequencies& result_;
    int depth_ = 0;    // open objects
    bool seen_df_ = false;
    std::string key_;
};

// 1 to 4 words, single spaces between them.
bool is_gram(std::string_view text) {
    std::size_t words = 0;
    while (true) {
        const std::size_t end = text.find(' ');
        if (text.empty() || end == 0 || ++words > longest_gram) return false;
        if (end == std::string_view::npos) return true;
        text.remove_prefix(end + 1);
    }
}

// The frequencies that have a name.
constexpr const char* coco_name = "coco-val2014";
constexpr std::int64_t coco_images = 40504;

bool is_coco_name(const fs::path& given) {
    std::error_code none;
    return given == coco_name && !fs::exists(given, none);
}
fs::path kept_frequencies() { return fetched_folder() / fmt::format("{}.json", coco_name); }

[[noreturn]] void bad_file(const fs::path& file, const std::string& problem) {
    throw Error(ExitCode::bad_data, "{}: {}; {}", file.string(), problem, how_to_make);
}

}    // namespace

DocumentFrequencies document_frequencies(const std::vector<std::vector<std::string_view>>& references, int threads) {
    return document_frequencies(coco_tokens(references, threads));
}

DocumentFrequencies document_frequencies(const std::vector<std::vector<Tokens>>& references) {
    const CountedCaptions captions("document frequencies", std::vector<Tokens>(references.size()), references);
    const std::vector<std::int64_t> images_with = count_images(captions);
    DocumentFrequencies result;
    result.documents = static_cast<std::int64_t>(captions.images());
    for (std::size_t gram = 0; gram < images_with.size(); ++gram)
        if (images_with[gram] > 0)
            result.counts.emplace_back(captions.grams().text(static_cast<std::uint32_t>(gram)), images_with[gram]);
    std::sort(result.counts.begin(), result.counts.end());
    return result;
}

fs::path write_document_frequencies(const fs::path& given, const DocumentFrequencies& frequencies) {
    fs::path file = given;
    if (is_coco_name(given)) {
        if (frequencies.documents != coco_images)
            throw Error(ExitCode::usage,
                        "{} stands for the frequencies of COCO's {} validation images of 2014, and these references "
                        "are of {}: give annotations/captions_val2014.json, or another FILE",
                        coco_name, coco_images, frequencies.documents);
        file = kept_frequencies();
        make_folders(file.parent_path());
    }
    std::string text = fmt::format("{{\"documents\": {}, ", frequencies.documents);
    if (frequencies.end_token) text += fmt::format("\"end_token\": \"{}\", ", end_word);
    if (!frequencies.split.empty()) text += fmt::format("\"split\": {}, ", nlohmann::json(frequencies.split).dump());
    text += "\"df\": {";
    for (const auto& [gram, count] : frequencies.counts)
        text += fmt::format("{}\n{}: {}", text.back() == '{' ? "" : ",", nlohmann::json(gram).dump(), count);
    write_file_durably(file, text + "\n}}\n");
    return file;
}

DocumentFrequencies read_document_frequencies(const fs::path& given) {
    const fs::path file = is_coco_name(given) ? kept_frequencies() : given;
    std::error_code none;
    if (file != given && !fs::exists(file, none))
        throw Error(ExitCode::missing_input,
                    "{}: is not there yet; `blip_mpi score --references annotations/captions_val2014.json "
                    "--write-cider-df {}` makes it once of COCO's annotations (cocodataset.org)",
                    file.string(), coco_name);
    const std::string text = read_file(file);
    DocumentFrequencies result;
    FrequencyReader reader(result);
    if (!nlohmann::json::sax_parse(text, &reader)) bad_file(file, reader.problem);
    if (!reader.complete()) bad_file(file, "the whole file: lacks \"documents\" or \"df\"");
    std::sort(result.counts.begin(), result.counts.end());
    for (std::size_t i = 0; i < result.counts.size(); ++i) {
        const auto& [gram, count] = result.counts[i];
        if (!is_gram(gram)) bad_file(file, fmt::format("'{}': is not one to four words with single spaces", gram));
        if (count > result.documents)
            bad_file(file, fmt::format("'{}': in {} of {} documents", gram, count, result.documents));
        if (i > 0 && result.counts[i - 1].first == gram) bad_file(file, fmt::format("'{}': is there twice", gram));
    }
    return result;
}

}    // namespace blip
