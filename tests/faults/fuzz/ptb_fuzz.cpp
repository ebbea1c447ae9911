// libFuzzer target: the captions' tokenizer on arbitrary bytes, UTF-8 or not. Run by tests/faults/fuzz_readers.sh.
#include <ctime>
#include <string_view>

#include "blip/metrics/ptb_tokenizer.h"
#include "tests/faults/fuzz/fuzz_support.h"

namespace {

// CPU seconds that an input of this size may take: a thousand times what it takes, and less than quadratic time would.
double allowed_seconds(std::size_t size) { return 0.5 + 1e-4 * static_cast<double>(size); }

}    // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace blip;
    // the last line is the next caption
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::size_t line_end = text.rfind('\n');
    const std::string_view caption = text.substr(0, line_end);
    const std::string_view next = line_end == std::string_view::npos ? std::string_view() : text.substr(line_end + 1);
    const std::clock_t start = std::clock();
    const auto tokens = ptb_tokenize(caption, next);
    fuzz::require(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC < allowed_seconds(size));
    fuzz::require(tokens.size() <= caption.size());
    for (const std::string& token : tokens) {
        fuzz::require(!token.empty() && token.find_first_of(" \n") == std::string::npos);
        for (const char c : token) fuzz::require(c < 'A' || c > 'Z');
    }
    fuzz::require(ptb_tokenize(caption, next) == tokens);
    return 0;
}
