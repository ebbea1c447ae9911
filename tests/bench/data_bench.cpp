// Pictures per second out of a packed file, stored as pixels and as JPEGs: reading alone (on one thread, which is per
// core, and on several at once), and whole training batches through the loader. Run by `make bench`. The file is in the
// page cache: this is the work of the cores, not of the disk.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <filesystem>
#include <memory>

#include "bench_pictures.h"
#include "blip/base/random.h"
#include "blip/data/batch_loader.h"
#include "blip/data/packed/writer.h"

namespace blip::test {
namespace {

// The pictures packed both ways, below the temporary folder until the program ends.
class PackedFiles {
  public:
    PackedFiles() {
        folder_ = std::filesystem::temp_directory_path() / ("data_bench." + std::to_string(getpid()));
        std::filesystem::create_directories(folder_);
        for (const auto encoding : {PackedEncoding::raw, PackedEncoding::jpeg}) pack(encoding);
    }
    ~PackedFiles() {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    const PackedDataset& of(std::int64_t encoding) const { return encoding == 0 ? *files_[0] : *files_[1]; }

  private:
    void pack(PackedEncoding encoding) {
        const bool raw = encoding == PackedEncoding::raw;
        SplitTables split;
        split.name = "train";
        for (std::size_t i = 0; i < pictures().files.size(); ++i) {
            const Image& image = pictures().images[i];
            const auto id = static_cast<std::int64_t>(i);
            const std::int64_t row = raw ? add_image(split, id, image.height, image.width)
                                         : add_jpeg(split, id, image.height, image.width, pictures().files[i].size());
            add_caption(split, row, {SpecialTokens::dec, 1037, SpecialTokens::sep}, "a");
        }
        const auto path = folder_ / (raw ? "raw.h5" : "jpeg.h5");
        PackedWriter writer(path, {"", 1, "a\n", "a benchmark", encoding}, {split});
        for (std::size_t i = 0; i < pictures().files.size(); ++i) {
            const auto row = static_cast<std::int64_t>(i);
            if (raw)
                writer.write_image(0, row, pictures().images[i]);
            else
                writer.write_jpeg(0, row, pictures().files[i], "benchmark");
        }
        writer.commit();
        files_.push_back(std::make_unique<PackedDataset>(PackedDataset::open(path)));
    }

    std::filesystem::path folder_;
    std::vector<std::unique_ptr<PackedDataset>> files_;
};

const PackedFiles& packed_files() {
    static const PackedFiles files;
    return files;
}

// Argument: 0 raw, 1 jpeg. Digests are verified, as in training.
void read_picture(benchmark::State& state) {
    const PackedDataset& data = packed_files().of(state.range(0));
    const SplitTables& split = data.split("train");
    std::int64_t i = state.thread_index();
    for (auto _ : state) benchmark::DoNotOptimize(data.read_image(split, i++ % split.image_count()));
    state.SetItemsProcessed(state.iterations());
    state.SetLabel(state.range(0) == 0 ? "raw" : "jpeg");
}

// Arguments: encoding, loader threads. Training batches of 32 at 384 x 384.
void training_batches_384(benchmark::State& state) {
    const PackedDataset& data = packed_files().of(state.range(0));
    const SplitTables& split = data.split("train");
    constexpr int batch_size = 32;
    std::uint64_t sample = 0;
    BatchLoader loader(
        data, split, DataOptions{}, AugmentOptions{}, 384, static_cast<int>(state.range(1)),
        [&]() -> std::optional<BatchRequest> {
            BatchRequest request;
            for (std::int64_t k = 0; k < batch_size; ++k) {
                const auto row = static_cast<std::int64_t>(sample) % split.image_count();
                request.images.push_back(row);
                request.captions.push_back(row);
                request.augment_keys.push_back(random_key(1, RandomPurpose::augmentation, {0, sample++}));
            }
            return request;
        });
    for (int ahead = 0; ahead < 8; ++ahead) (void)loader.next();    // what was prepared before the clock started
    for (auto _ : state) benchmark::DoNotOptimize(loader.next());
    state.SetItemsProcessed(state.iterations() * batch_size);
    state.SetLabel(state.range(0) == 0 ? "raw" : "jpeg");
}

BENCHMARK(read_picture)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond)->UseRealTime()->Threads(1)->Threads(2);
BENCHMARK(training_batches_384)
    ->ArgsProduct({{0, 1}, {1, 2}})
    ->ArgNames({"encoding", "threads"})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}    // namespace
}    // namespace blip::test
