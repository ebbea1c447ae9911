// blip_mpi caption: a caption for each picture given; no MPI, no data file.
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include "blip/base/log.h"
#include "blip/checkpoint/checkpoints.h"
#include "blip/eval/evaluator.h"
#include "blip/image/augment.h"
#include "blip/image/jpeg.h"
#include "blip/params/arena.h"
#include "src/app/startup.h"
#include "src/app/verbs.h"

namespace blip {

namespace {

namespace fs = std::filesystem;

// Beside the weights, else the program's own: installed in share/, or in the source tree it was built in.
fs::path find_vocabulary(const fs::path& init) {
    const fs::path folder = fs::is_directory(init) ? init : init.parent_path();
    const fs::path program = fs::read_symlink("/proc/self/exe").parent_path();
    constexpr const char* own = "bert-base-uncased-vocab.txt";
    const std::vector<fs::path> places = {folder / "vocab.txt", folder / "best" / "vocab.txt",
                                          program / "../share/blip_mpi" / own, program / "../../data_prep" / own};
    for (const fs::path& place : places)
        if (fs::exists(place)) return place;
    throw Error(ExitCode::missing_input,
                fmt::format("no vocabulary: put the BERT vocabulary at {}", places.front().string()));
}

}    // namespace

ExitCode run_caption(Options options) {
    std::string missing;
    for (const fs::path& file : options.images)
        if (!fs::exists(file)) missing += fmt::format("\n  {}", file.string());
    if (!missing.empty()) throw Error(ExitCode::missing_input, "no such picture:" + missing);
    set_threads(options, 1);
    adopt_model_shape(options);
    const Captioner captioner(options.model);
    Arena arena = weights_only_arena(captioner.layout());
    load_model(options.init, arena);
    const Vocabulary vocabulary = Vocabulary::from_file(find_vocabulary(options.init));
    const WordPieceTokenizer tokenizer(vocabulary);
    const int size = options.model.image_size;
    ExitCode code = ExitCode::ok;
    for (const fs::path& file : options.images) {
        if (stop_requested()) return ExitCode::stopped;
        try {
            const Image image = decode_jpeg_file(file);
            const at::Tensor pixels = at::empty({1, 3, size, size}, at::TensorOptions().dtype(at::kByte));
            apply_plan(image, evaluation_plan(image.height, image.width), size,
                       static_cast<std::uint8_t*>(pixels.data_ptr()));
            const std::string caption =
                caption_images(captioner, arena.weights(), pixels, tokenizer, options.generate).front().text;
            fmt::print("{}: {}\n", file.string(), caption);
            std::fflush(stdout);
        } catch (const Error& error) {
            // One bad picture does not keep the others from their captions.
            log_error_text(error.what());
            code = error.code();
        }
    }
    return code;
}

}    // namespace blip
