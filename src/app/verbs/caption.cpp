// blip_mpi caption: a caption for each picture given; no MPI, no data file.
#include <fmt/format.h>
#include <unistd.h>

#include <cstring>
#include <set>
#include <span>

#include "blip/base/digest.h"
#include "blip/base/json.h"
#include "blip/base/log.h"
#include "blip/base/printable.h"
#include "blip/base/standard_output.h"
#include "blip/checkpoint/init.h"
#include "blip/device/device.h"
#include "blip/params/arena.h"
#include "blip/report/progress.h"
#include "blip/tasks/caption/caption_images.h"
#include "blip/tasks/caption/picture_prompts.h"
#include "src/app/caption_inputs.h"
#include "src/app/compute.h"
#include "src/app/picture_stream.h"
#include "src/app/startup.h"
#include "src/app/verbs/verbs.h"
#include "src/app/vocabulary_file.h"

namespace blip {

namespace {

namespace fs = std::filesystem;

// A line for each caption: "FILE: CAPTION", or a JSON object, which has an index if a picture has several. Nothing for
// a picture that could not be read, unless JSON is wanted, which has a line for every picture.
std::string lines_of(const StreamedPicture& picture, const std::vector<Caption>& captions, bool json) {
    const auto line = [](const nlohmann::ordered_json& row) {
        // a file's name may be any bytes; JSON is UTF-8
        return printable_line(to_line(row)) + "\n";
    };
    const std::string file = picture.file.string();
    if (!picture.problem.empty()) return json ? line({{"file", file}, {"error", picture.problem}}) : "";
    std::string lines;
    for (std::size_t i = 0; i < captions.size(); ++i) {
        if (!json) {
            lines += printable_line(fmt::format("{}: {}", file, captions[i].text)) + "\n";
            continue;
        }
        nlohmann::ordered_json row = {{"file", file}};
        if (captions.size() > 1) row["index"] = i;
        row["caption"] = captions[i].text;
        row["log_probability"] = captions[i].log_probability;
        lines += line(row);
    }
    return lines;
}

class CaptionRun {
  public:
    CaptionRun(const Options& options, const ArenaPlacement& placement)
        : options_(options),
          device_(placement.device),
          captioner_(options.model),
          arena_(weights_only_arena(captioner_.layout(), placement)),
          vocabulary_(read_vocabulary(options.init)),
          tokenizer_(vocabulary_),
          prompts_(options.generate, tokenizer_) {
        load_model(options.init, arena_);
    }

    // The code of the last picture that could not be read; stopped if a signal left pictures over.
    ExitCode run(const std::vector<fs::path>& files) {
        warn_of_unknown(files);
        const auto batch = static_cast<std::size_t>(options_.evaluate.batch);
        PictureStream stream(files, options_.exif_orientation ? ExifOrientation::applied : ExifOrientation::ignored,
                             options_.model.image_size, options_.data.loader_threads,
                             batch * static_cast<std::size_t>(options_.data.prefetch_batches));
        Progress progress("captions", static_cast<std::int64_t>(files.size()),
                          options_.runtime.progress && files.size() > batch, -1);
        std::size_t done = 0;
        progress.update(0);
        while (done < files.size()) {
            if (stop_requested()) {
                progress.clear();
                log_warning("stopped by a signal: {} of {} pictures were captioned", done, files.size());
                return ExitCode::stopped;
            }
            const std::vector<StreamedPicture> pictures = next_batch(stream, batch);
            const std::string lines = caption(pictures);
            if (isatty(STDOUT_FILENO)) progress.clear();    // the lines would begin behind it
            write_standard_output(lines, "captions");
            done += pictures.size();
            progress.update(static_cast<std::int64_t>(done));
        }
        return code_;
    }

  private:
    // A picture goes by its name as given (in a folder: as printed), then by its base name.
    static std::vector<std::string> names_of(const fs::path& file) { return {file.string(), file.filename().string()}; }

    void warn_of_unknown(const std::vector<fs::path>& files) const {
        std::set<std::string> known;
        for (const fs::path& file : files)
            for (const std::string& name : names_of(file)) known.insert(name);
        std::vector<std::string> unknown;
        for (const auto& [name, prompt] : prompts_.own())
            if (!known.contains(name)) unknown.push_back(name);
        if (!unknown.empty()) log_warning("{}", prompts_.describe_unknown(unknown));
    }

    // Drawn captions depend on the picture as the model sees it, so that its name and place do not matter.
    PictureRequest request_of(const StreamedPicture& picture) const {
        return {prompts_.of(names_of(picture.file)), digest_value(std::as_bytes(std::span(picture.pixels_3SS)))};
    }

    // The next pictures up to the batch-th readable one; unreadable ones between them come along.
    static std::vector<StreamedPicture> next_batch(PictureStream& stream, std::size_t batch) {
        std::vector<StreamedPicture> pictures;
        std::size_t readable = 0;
        while (readable < batch) {
            std::optional<StreamedPicture> picture = stream.next();
            if (!picture) break;
            readable += picture->problem.empty() ? 1 : 0;
            pictures.push_back(std::move(*picture));
        }
        return pictures;
    }

    // Lines for standard output, in the pictures' order; what is wrong with a picture goes to stderr.
    std::string caption(const std::vector<StreamedPicture>& pictures) {
        const std::int64_t size = options_.model.image_size, picture_bytes = 3 * size * size;
        std::int64_t readable = 0;
        for (const StreamedPicture& picture : pictures) readable += picture.problem.empty() ? 1 : 0;
        std::vector<std::vector<Caption>> captions;
        if (readable > 0) {
            const at::Tensor images_I3SS = staging_tensor({readable, 3, size, size}, at::kByte, device_);
            std::vector<PictureRequest> requests;
            auto* place = static_cast<std::uint8_t*>(images_I3SS.data_ptr());
            for (const StreamedPicture& picture : pictures) {
                if (!picture.problem.empty()) continue;
                std::memcpy(place, picture.pixels_3SS.data(), static_cast<std::size_t>(picture_bytes));
                place += picture_bytes;
                requests.push_back(request_of(picture));
            }
            captions = caption_images(captioner_, arena_.weights(), to_device(images_I3SS, device_), tokenizer_,
                                      options_.generate, requests, options_.train.seed);
        }
        std::string lines;
        auto next = captions.begin();
        for (const StreamedPicture& picture : pictures) {
            if (!picture.problem.empty()) {
                log_error_text(picture.problem);
                code_ = picture.code;
            }
            lines += lines_of(picture, picture.problem.empty() ? *next++ : std::vector<Caption>(), options_.json);
        }
        return lines;
    }

    const Options& options_;
    c10::Device device_;
    Captioner captioner_;
    Arena arena_;
    Vocabulary vocabulary_;
    WordPieceTokenizer tokenizer_;
    PicturePrompts prompts_;
    ExitCode code_ = ExitCode::ok;
};

}    // namespace

ExitCode run_caption(Options options) {
    const std::vector<fs::path> files = list_pictures(options.images, stop_requested);
    if (stop_requested()) return ExitCode::stopped;
    const ArenaPlacement placement = open_device(options.runtime, 0, 1);
    set_loader_threads(options, set_threads(options), /*decodes=*/true);
    set_evaluation_batch(options);
    adopt_model_shape(options);
    return CaptionRun(options, placement).run(files);
}

}    // namespace blip
