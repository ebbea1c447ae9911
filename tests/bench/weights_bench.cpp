// Bytes per second from a file of weights into the arena, ViT-B captioner in fp32, by the file's form. Run by `make
// bench`. The file is in the page cache: this is the work of the cores, not of the disk.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <filesystem>

#include "blip/checkpoint/init.h"
#include "blip/model/captioner.h"
#include "blip/weights/export.h"

namespace blip::test {
namespace {

namespace fs = std::filesystem;

// The weights as both files, below the temporary folder until the program ends.
class WeightFiles {
  public:
    WeightFiles() : captioner_({}), arena_(weights_only_arena(captioner_.layout())) {
        folder_ = fs::temp_directory_path() / ("weights_bench." + std::to_string(getpid()));
        fs::create_directories(folder_);
        initialise(arena_, 1);
        std::vector<at::Tensor> values;
        for (const at::Tensor& weight : arena_.weights()) values.push_back(weight.detach());
        const Layout& layout = captioner_.layout();
        const ExportedWeights weights = {layout, values, {}, model_config_text(layout, {}, ""), "", {}};
        write_reference_pth(folder_ / "x.pth", weights);
        write_reference_safetensors(folder_ / "x.safetensors", weights);
    }
    ~WeightFiles() {
        std::error_code ignored;
        fs::remove_all(folder_, ignored);
    }
    fs::path file(bool pth) const { return folder_ / (pth ? "x.pth" : "x.safetensors"); }
    Arena& arena() { return arena_; }

  private:
    Captioner captioner_;
    Arena arena_;
    fs::path folder_;
};

WeightFiles& files() {
    static WeightFiles made;
    return made;
}

void load(benchmark::State& state) {
    const fs::path file = files().file(state.range(0) != 0);
    state.SetLabel(file.extension().string());
    for (auto step : state) load_model(file, files().arena());
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(fs::file_size(file)));
}
BENCHMARK(load)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond)->UseRealTime();

}    // namespace
}    // namespace blip::test
