// libFuzzer target: what a CLIP model's folder holds beside weights (config.json, preprocessor_config.json, vocab.json,
// merges.txt), and captions for its tokenizer; the first byte chooses. Run by tests/faults/fuzz_readers.sh.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "blip/text/caption_text.h"
#include "blip/text/unicode.h"
#include "src/clip/config.h"
#include "src/clip/tokenizer.h"
#include "tests/faults/fuzz/input_file.h"

namespace {

using namespace blip;
namespace fs = std::filesystem;

constexpr std::int64_t words = 600;
constexpr const char* names[] = {"config.json", "preprocessor_config.json", "vocab.json", "merges.txt"};

// CLIP's tokens for all bytes, and some pairs.
std::string sound_vocabulary() {
    std::string text = R"({"<|startoftext|>": 598, "<|endoftext|>": 599, "ab": 512, "abc</w>": 513)";
    std::int64_t id = 0;
    for (char32_t c = '!'; c <= 0x143; ++c) {
        if ((c > '~' && c < 0xA1) || c == 0xAD) continue;
        for (const char* end : {"", "</w>"}) {
            text += c == '"' || c == '\\' ? ", \"\\" : ", \"";
            append_utf8(c, text);
            text += fmt::format("{}\": {}", end, id++);
        }
    }
    return text + "}";
}

// Folders, one for each file, that hold the other ones and have the input in its place; one more that is whole.
class Folders {
  public:
    explicit Folders(const fs::path& input)
        : root_(fs::temp_directory_path() / ("clip-fuzz-" + std::to_string(::getpid()))) {
        for (std::size_t i = 0; i <= std::size(names); ++i) {
            fs::create_directories(of(i));
            std::ofstream(of(i) / "vocab.json") << sound_vocabulary();
            std::ofstream(of(i) / "merges.txt") << "#version: 0.2\na b\nab c</w>\n";
            if (i == std::size(names)) continue;
            fs::remove(of(i) / names[i]);
            fs::create_symlink(input, of(i) / names[i]);
        }
    }
    ~Folders() { fs::remove_all(root_); }
    fs::path of(std::size_t file) const { return root_ / std::to_string(file); }

  private:
    fs::path root_;
};

void check_config(const ClipConfig& config) {
    for (const ClipTransformer& part : {config.vision, config.text})
        fuzz::require(part.depth > 0 && part.heads > 0 && part.width % part.heads == 0 && part.inner_width > 0);
    fuzz::require(config.image_size % config.patch_size == 0 && config.positions >= 3 && config.words > 0);
}

void check_pictures(const ClipPictures& pictures, int size) {
    fuzz::require(pictures.crop == size && pictures.shorter >= size);
    for (const float deviation : pictures.deviation) fuzz::require(deviation > 0);
}

void encode(ClipTokenizer& tokenizer, const std::string& text) {
    if (find_invalid_utf8(text) != std::string::npos) return;
    for (const std::size_t longest : {std::size_t{2}, std::size_t{7}, std::size_t{77}}) {
        const std::vector<std::int64_t> ids = tokenizer.encode(text, longest);
        fuzz::require(ids.size() >= 2 && ids.size() <= longest && ids.back() == tokenizer.end_token());
        for (const std::int64_t id : ids) fuzz::require(id >= 0 && id < words);
    }
}

}    // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static fuzz::InputFile file;
    static const Folders folders(file.holding(data, 0));
    static const ClipTokenizer sound(folders.of(std::size(names)), words);    // which is refused for nothing
    if (size == 0) return 0;
    const std::string input(reinterpret_cast<const char*>(data) + 1, size - 1);
    file.holding(data + 1, size - 1);
    constexpr int image_size = 224;
    const std::size_t reader = data[0] % (std::size(names) + 1);
    fuzz::read_or_refuse(
        [&] {
            if (reader == 0) check_config(read_clip_config(folders.of(0)));
            if (reader == 1) check_pictures(read_clip_pictures(folders.of(1), image_size), image_size);
            if (reader < 2) return;
            ClipTokenizer tokenizer(folders.of(reader), words);
            encode(tokenizer, input);
        },
        {ExitCode::bad_data});
    return 0;
}
