// Speed of the caption metrics on one core: tokens, each metric, a whole score of 5,000 and 25,000 images with five
// references each. Run by `make bench`. Captions: COCO's where they are (BLIP_CAPTIONS), repeated to get there.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>

#include "blip/metrics/caption_files.h"
#include "blip/metrics/coco_eval.h"
#include "blip/metrics/coco_tokens.h"
#include "blip/metrics/ptb_tokenizer.h"
#include "blip/metrics/resampling.h"
#include "src/metrics/counted_captions.h"

namespace blip::test {
namespace {

// COCO's captions of single images, or as many drawn ones.
const std::vector<ImageReferences>& groups() {
    static const std::vector<ImageReferences> found = [] {
        const char* set = std::getenv("BLIP_CAPTIONS");
        const std::filesystem::path file = set != nullptr ? set : "../shared/data/coco_captions_half.json";
        if (std::filesystem::exists(file)) return read_references(file, {});
        std::vector<ImageReferences> drawn(500);
        for (std::size_t i = 0; i < drawn.size(); ++i)
            for (std::size_t k = 0; k < 5; ++k)
                drawn[i].captions.push_back("A man in a red jacket number " + std::to_string(i * 5 + k) +
                                            " rides his snowboard down a snow-covered slope next to two skiers.");
        return drawn;
    }();
    return found;
}

// images with five references each; the caption is another image's
std::vector<ScoredCaption> scored(std::size_t images) {
    std::vector<ScoredCaption> result(images);
    for (std::size_t i = 0; i < images; ++i) {
        const auto& own = groups()[i % groups().size()].captions;
        result[i].image = std::to_string(i);
        result[i].caption = groups()[(7 * i + 3) % groups().size()].captions.front();
        for (std::size_t k = 0; k < 5; ++k) result[i].references.push_back(own[k % own.size()]);
    }
    return result;
}

struct Tokenised {
    std::vector<Tokens> hypotheses;
    std::vector<std::vector<Tokens>> references;
};
Tokenised tokenised(std::size_t images) {
    Tokenised result;
    for (const ScoredCaption& one : scored(images)) {
        result.hypotheses.push_back(ptb_tokenize(one.caption));
        auto& own = result.references.emplace_back();
        for (const std::string& reference : one.references) own.push_back(ptb_tokenize(reference));
    }
    return result;
}

void ptb_tokens(benchmark::State& state) {
    std::vector<std::string_view> lines;
    std::int64_t bytes = 0;
    for (const ImageReferences& image : groups()) {
        for (const std::string& caption : image.captions) {
            lines.emplace_back(caption);
            bytes += static_cast<std::int64_t>(caption.size() + 1);
        }
    }
    for (auto _ : state) benchmark::DoNotOptimize(coco_tokens(lines, 1));
    state.SetBytesProcessed(state.iterations() * bytes);
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(lines.size()));
}

// What BLEU, ROUGE-L and CIDEr share: words and n-grams as numbers.
void numbers_of_tokens(benchmark::State& state) {
    const Tokenised tokens = tokenised(static_cast<std::size_t>(state.range(0)));
    for (auto _ : state)
        benchmark::DoNotOptimize(CountedCaptions("a benchmark", tokens.hypotheses, tokens.references).images());
}

template <auto metric>
void metric_alone(benchmark::State& state) {
    const Tokenised tokens = tokenised(static_cast<std::size_t>(state.range(0)));
    const CountedCaptions counted("a benchmark", tokens.hypotheses, tokens.references);
    for (auto _ : state) benchmark::DoNotOptimize(metric(counted));
}
constexpr auto bleu_alone = [](const CountedCaptions& captions) { return bleu(captions); };
constexpr auto rouge_l_alone = [](const CountedCaptions& captions) { return rouge_l(captions); };
constexpr auto cider_alone = [](const CountedCaptions& captions) { return cider(captions, nullptr); };

void tokens_bleu_rouge_l_cider(benchmark::State& state) {
    const std::vector<ScoredCaption> captions = scored(static_cast<std::size_t>(state.range(0)));
    for (auto _ : state) benchmark::DoNotOptimize(coco_scores(captions));
}

// 2,000 resamples and 10,000 exchanges of two systems' BLEU, ROUGE-L and CIDEr.
void intervals_and_comparison(benchmark::State& state) {
    std::vector<ScoredCaption> captions = scored(static_cast<std::size_t>(state.range(0)));
    std::vector<ImageStatistics> systems;
    for (int system = 0; system < 2; ++system) {
        CocoDetails details;
        coco_scores(captions, {}, &details);
        systems.emplace_back(std::vector<std::vector<SummedStatistics>>{details.statistics});
        for (std::size_t i = 0; i < captions.size(); i += 3) captions[i].caption = captions[i].references.front();
    }
    for (auto _ : state) benchmark::DoNotOptimize(resample_scores(systems, {}));
}

BENCHMARK(intervals_and_comparison)->ArgName("images")->Arg(5000)->Unit(benchmark::kMillisecond);
BENCHMARK(ptb_tokens)->Unit(benchmark::kMillisecond);
BENCHMARK(numbers_of_tokens)->ArgName("images")->Arg(5000)->Unit(benchmark::kMillisecond);
BENCHMARK(metric_alone<bleu_alone>)->Name("bleu")->ArgName("images")->Arg(5000)->Unit(benchmark::kMillisecond);
BENCHMARK(metric_alone<rouge_l_alone>)->Name("rouge_l")->ArgName("images")->Arg(5000)->Unit(benchmark::kMillisecond);
BENCHMARK(metric_alone<cider_alone>)->Name("cider")->ArgName("images")->Arg(5000)->Unit(benchmark::kMillisecond);
BENCHMARK(tokens_bleu_rouge_l_cider)->ArgName("images")->Arg(5000)->Arg(25000)->Unit(benchmark::kMillisecond);

}    // namespace
}    // namespace blip::test
