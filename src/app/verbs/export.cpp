// blip_mpi export: weights in another form; one process, on the CPU.
#include <ATen/ops/isfinite.h>
#include <fmt/format.h>

#include "blip/base/durable_file.h"
#include "blip/base/durable_folder.h"
#include "blip/base/log.h"
#include "blip/checkpoint/init.h"
#include "blip/model/captioner.h"
#include "blip/report/progress.h"
#include "blip/text/wordpiece.h"
#include "blip/weights/export.h"
#include "src/app/export_target.h"
#include "src/app/startup.h"
#include "src/app/verbs/verbs.h"
#include "src/app/vocabulary_file.h"

namespace blip {

namespace {

namespace fs = std::filesystem;

constexpr const char* random_word = "random";

at::ScalarType dtype_of(const std::string& name) {
    return name == "bf16" ? at::kBFloat16 : name == "fp16" ? at::kHalf : at::kFloat;
}

void check_not_stopped(const ExportTarget& target) {
    if (stop_requested())
        throw Error(ExitCode::stopped, "stopped by a signal: nothing was written to {}", target.path.string());
}

// Not one value may become infinite unseen: fp16 ends at 65504.
void check_fits_fp16(const Arena& arena) {
    for (ParamId id = 0; id < arena.layout().count(); ++id) {
        if (at::isfinite(arena.weights()[static_cast<std::size_t>(id)]).all().item<bool>()) continue;
        throw Error(ExitCode::bad_data,
                    "{} has values that fp16 cannot hold (beyond 65504, or not finite): give --dtype bf16 or fp32",
                    arena.layout().spec(id).name);
    }
}

void fill(Arena& arena, const Options& options) {
    if (options.init.empty()) {
        log_info("new random weights from seed {}: model {}", options.train.seed, options.model.preset);
        initialise(arena, options.train.seed);
    } else {
        load_model(options.init, arena);
    }
    if (arena.placement().dtype == at::kHalf) check_fits_fp16(arena);
}

// As vocab.txt of every form: a word a line, whatever ends lines in the source.
std::string vocabulary_text(const fs::path& init) {
    std::string text = read_vocabulary(init).text();
    std::erase(text, '\r');
    return text;
}

void write_to(const ExportTarget& target, const ExportedWeights& weights) {
    if (target.form == ExportForm::reference_safetensors) return write_reference_safetensors(target.path, weights);
    if (target.form == ExportForm::reference_pth) return write_reference_pth(target.path, weights);
    DurableFolder folder(target.path);
    if (target.form == ExportForm::reference_folder)
        write_reference_folder(folder.temporary_path(), weights);
    else
        write_huggingface_folder(folder.temporary_path(), weights);
    check_not_stopped(target);
    folder.commit();
}

std::uint64_t size_of(const fs::path& path) {
    if (!fs::is_directory(path)) return fs::file_size(path);
    std::uint64_t bytes = 0;
    for (const auto& entry : fs::directory_iterator(path)) bytes += entry.file_size();
    return bytes;
}

std::string how_to_load(const ExportTarget& target) {
    const std::string path = target.path.string();
    switch (target.form) {
        case ExportForm::reference_pth:
            return fmt::format(
                "torch.load(\"{0}\", weights_only=True)[\"model\"], blip_decoder(pretrained=\"{0}\"), or --init {0}",
                path);
        case ExportForm::huggingface_folder:
            return fmt::format(
                "BlipForConditionalGeneration.from_pretrained(\"{0}\") and "
                "BlipProcessor.from_pretrained(\"{0}\") (transformers 4.56 or later), or --init {0}",
                path);
        default:
            return fmt::format("--init {}", path);
    }
}

}    // namespace

ExitCode run_export(const Options& given) {
    const ExportTarget target = choose_export_target(given.export_to);
    Options options = given;
    set_threads(options);
    options.init = given.export_to.from == random_word ? fs::path() : given.export_to.from;
    adopt_model_shape(options);
    const std::string vocabulary = vocabulary_text(options.init);
    const Captioner captioner(options.model);
    const at::ScalarType dtype = dtype_of(options.export_to.dtype);
    const auto value_bytes = static_cast<std::uint64_t>(captioner.layout().element_count()) * c10::elementSize(dtype);
    constexpr std::uint64_t headers_bytes = std::uint64_t{2} << 20;
    check_space_for(target, value_bytes + headers_bytes);

    Arena arena = weights_only_arena(captioner.layout(), {at::kCPU, dtype});
    fill(arena, options);
    check_not_stopped(target);
    const std::string note = options.init.empty() ? "{}" : read_model_note(options.init);
    Progress progress("export: MiB", static_cast<std::int64_t>(value_bytes >> 20), options.runtime.progress, -1);
    std::uint64_t done = 0;
    const ExportedWeights weights{captioner.layout(),
                                  arena.weights(),
                                  options.model,
                                  model_config_text(captioner.layout(), options.model, note),
                                  vocabulary,
                                  [&](std::uint64_t bytes) {
                                      check_not_stopped(target);
                                      progress.update(static_cast<std::int64_t>((done += bytes) >> 20));
                                  }};
    write_to(target, weights);
    progress.clear();
    log_info("wrote {}: {} names, {}, {:.2f} M parameters, {}, xxh3 of the weights {}", target.path.string(),
             options.export_to.names, options.export_to.dtype,
             static_cast<double>(captioner.layout().element_count()) / 1e6,
             format_bytes(static_cast<double>(size_of(target.path))), weights_digest(weights));
    log_info("load it by {}", how_to_load(target));
    return ExitCode::ok;
}

}    // namespace blip
