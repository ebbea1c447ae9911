// libFuzzer target: METEOR's four tables, --cider-df and an index of weights, on arbitrary bytes; the first byte
// chooses the reader. What METEOR's tables are compiled to finds what it holds. Run by tests/faults/fuzz_readers.sh.
#include <filesystem>
#include <fstream>

#include "blip/metrics/document_frequencies.h"
#include "src/metrics/meteor/index.h"
#include "tests/faults/fuzz/input_file.h"

namespace {

using namespace blip;
namespace fs = std::filesystem;

constexpr const char* sound_tables[] = {"a\nthe\n", "big\n1 2\nlarge\n2\ngo\n3\n", "go\nwent gone\n",
                                        "0.5\nbig dog\nlarge dog\n1e-2\nwent away\nleft\n"};

// Folders, one for each table, that hold the other three and have the input in its place.
class Folders {
  public:
    explicit Folders(const fs::path& input) : root_(fs::temp_directory_path() / name()) {
        for (std::size_t i = 0; i < std::size(meteor_table_names); ++i) {
            const fs::path folder = of(i);
            fs::create_directories(folder);
            for (std::size_t k = 0; k < std::size(meteor_table_names); ++k)
                if (k != i) std::ofstream(folder / meteor_table_names[k]) << sound_tables[k];
            fs::create_symlink(input, folder / meteor_table_names[i]);
        }
        fs::create_directories(of(std::size(meteor_table_names)));
        fs::create_symlink(input, index());
    }
    ~Folders() { fs::remove_all(root_); }
    fs::path of(std::size_t table) const { return root_ / std::to_string(table); }
    fs::path index() const { return of(std::size(meteor_table_names)) / "model.safetensors.index.json"; }

  private:
    static std::string name() { return "tables-fuzz-" + std::to_string(::getpid()); }
    fs::path root_;
};

std::vector<std::string> words_of(const std::string& text) {
    std::vector<std::string> words = {"big", "dog", "large", "went", "left", "going", "men"};
    for (std::size_t i = 0; i < text.size() && words.size() < 40;) {
        const std::size_t end = std::min(text.find_first_of(" \r\n", i), text.size());
        if (end > i) words.push_back(text.substr(i, end - i));
        i = end + 1;
    }
    return words;
}

void read_meteor(const fs::path& folder, const std::string& input) {
    const IndexImage image = compile_meteor_tables(folder);
    const auto index = MeteorIndex::over(image, nullptr);
    fuzz::require(index.has_value());
    const std::vector<std::string> texts = words_of(input);
    std::vector<std::uint32_t> words;
    for (const std::string& text : texts) {
        const std::vector<std::uint32_t> sets = index->synonym_sets(text);
        fuzz::require(std::is_sorted(sets.begin(), sets.end()));
        words.push_back(index->word(text));
        static_cast<void>(index->is_function(words.back()));
    }
    // every phrase of neighbouring words
    for (std::size_t first = 0; first < words.size(); ++first) {
        std::uint32_t phrase = 0;
        for (std::size_t i = first; i < words.size() && words[i] != MeteorIndex::no_word; ++i) {
            phrase = index->longer_phrase(phrase, words[i]);
            if (phrase == 0) break;
            for (const std::uint32_t other : index->paraphrases(phrase)) {
                const auto back = index->paraphrases(other);
                fuzz::require(std::find(back.begin(), back.end(), phrase) != back.end());
            }
        }
    }
}

void read_frequencies(const fs::path& path) {
    const DocumentFrequencies read = read_document_frequencies(path);
    fuzz::require(read.documents > 0 && std::is_sorted(read.counts.begin(), read.counts.end()));
    for (const auto& [gram, count] : read.counts) fuzz::require(!gram.empty() && count >= 1 && count <= read.documents);
}

}    // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static fuzz::InputFile file;
    static const Folders folders(file.holding(data, 0));
    if (size == 0) return 0;
    const std::string path = file.holding(data + 1, size - 1);
    const std::size_t reader = data[0] % 6;
    fuzz::read_or_refuse(
        [&] {
            if (reader < std::size(meteor_table_names))
                read_meteor(folders.of(reader), std::string(reinterpret_cast<const char*>(data) + 1, size - 1));
            else if (reader == 4)
                read_frequencies(path);
            else
                fuzz::read_all_tensors(*WeightFile::open(folders.index()));
        },
        {ExitCode::bad_data, reader == 5 ? ExitCode::missing_input : ExitCode::bad_data});
    return 0;
}
