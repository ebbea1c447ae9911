// Images and captions per second and core: decode, squash, crop, transform, token ids, PTB tokens. Run by `make bench`.
// Pictures: COCO files where they are (BLIP_COCO_DIR), else drawn ones of COCO's usual 640 x 480.
#include <benchmark/benchmark.h>

#include "bench_pictures.h"
#include "blip/base/random.h"
#include "blip/image/augment.h"
#include "blip/image/jpeg.h"
#include "blip/image/resize.h"
#include "blip/metrics/ptb_tokenizer.h"
#include "blip/text/caption_text.h"

namespace blip::test {
namespace {

constexpr int size = 384;

void decode(benchmark::State& state) {
    std::size_t i = 0;
    for (auto _ : state)
        benchmark::DoNotOptimize(decode_jpeg(pictures().files[i++ % pictures().files.size()], "benchmark"));
    state.SetItemsProcessed(state.iterations());
}

void squash_384(benchmark::State& state) {
    std::vector<std::uint8_t> output(size * size * 3);
    std::size_t i = 0;
    for (auto _ : state) {
        const Image& image = pictures().images[i++ % pictures().images.size()];
        resize_bicubic(image, Box{0, 0, image.height, image.width}, size, size, output.data());
        benchmark::DoNotOptimize(output.data());
    }
    state.SetItemsProcessed(state.iterations());
}

// What the loader does for each training sample: plan, crop, bicubic, flip, planes, and so many operators drawn.
void training_transform_384(benchmark::State& state) {
    AugmentOptions options;
    options.operators = static_cast<int>(state.range(0));
    std::vector<std::uint8_t> output(size * size * 3);
    std::size_t i = 0;
    for (auto _ : state) {
        const Image& image = pictures().images[i % pictures().images.size()];
        const std::uint64_t key = random_key(1, RandomPurpose::augmentation, {0, i++});
        apply_plan(image, draw_training_plan(image.height, image.width, options, key), size, output.data());
        benchmark::DoNotOptimize(output.data());
    }
    state.SetItemsProcessed(state.iterations());
}

// One operator, by its number in ImageOperator. Copying the picture back is counted too.
void operator_384(benchmark::State& state) {
    const SignedOperator operation{static_cast<ImageOperator>(state.range(0)), false};
    std::vector<std::uint8_t> input(size * size * 3), planes;
    const Image& image = pictures().images.front();
    apply_plan(image, evaluation_plan(image.height, image.width), size, input.data());
    for (auto _ : state) {
        planes = input;
        apply_operator(operation, size, size, planes.data());
        benchmark::DoNotOptimize(planes.data());
    }
    state.SetItemsProcessed(state.iterations());
}

constexpr const char* caption =
    "A man in a red jacket rides his snowboard down a snow-covered slope next to two skiers.";

void caption_to_ids(benchmark::State& state) {
    const Vocabulary vocabulary = Vocabulary::from_file(root() / "data_prep/bert-base-uncased-vocab.txt");
    const WordPieceTokenizer tokenizer(vocabulary);
    for (auto _ : state) benchmark::DoNotOptimize(caption_tokens(tokenizer, caption));
    state.SetItemsProcessed(state.iterations());
}

void caption_to_ptb_tokens(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(ptb_tokenize(caption));
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(std::string_view(caption).size()));
    state.SetItemsProcessed(state.iterations());
}

BENCHMARK(decode)->Unit(benchmark::kMillisecond);
BENCHMARK(squash_384)->Unit(benchmark::kMillisecond);
BENCHMARK(training_transform_384)->ArgName("operators")->Arg(0)->Arg(2)->Unit(benchmark::kMillisecond);
BENCHMARK(operator_384)->ArgName("operator")->DenseRange(0, image_operator_count - 1)->Unit(benchmark::kMicrosecond);
BENCHMARK(caption_to_ids)->Unit(benchmark::kMicrosecond);
BENCHMARK(caption_to_ptb_tokens)->Unit(benchmark::kMicrosecond);

}    // namespace
}    // namespace blip::test
